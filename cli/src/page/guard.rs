//! Who may see the pages. The journal is its owner's alone, and a port of the loopback interface is everybody's on the machine: a page is
//! shown only to whoever has the link with the token, which is exchanged for a cookie.
//!
//! A page of somebody else's in the same browser gets nothing: it knows no token, its requests carry no cookie (`SameSite=Strict`), and a
//! name of its own that leads to this machine (DNS rebinding) is not among those that are answered.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue, ORIGIN,
    REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};

/// Bytes of chance in the token, and in the cookie that it is exchanged for.
const CHANCE: usize = 32;
/// What a page may do: nothing but what comes from here.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; base-uri 'none'; \
                      form-action 'self'; frame-ancestors 'none'";

/// The door.
#[derive(Debug)]
pub(super) struct Guard {
    address: SocketAddr,
    token: String,
    cookie: String,
    /// The folder that all pages are in. Cookies know no ports, and go to whatever else listens on this address: this one goes only where
    /// the path begins so, which nobody else can know.
    base: String,
}

/// What becomes of a request.
pub(super) enum Verdict {
    /// It is answered.
    Pass,
    /// It brings the token: here is the cookie.
    Exchange(Response<Body>),
    Refuse(Response<Body>),
}

impl Guard {
    /// For pages at that address.
    pub(super) fn new(address: SocketAddr) -> Result<Self, getrandom::Error> {
        Ok(Self {
            address,
            token: chance()?,
            cookie: chance()?,
            base: format!("/{}", &chance()?[..CHANCE]),
        })
    }

    /// The link that lets in.
    pub(super) fn link(&self) -> String {
        format!("http://{}/?token={}", self.address, self.token)
    }

    /// The folder that all pages are in, without a slash at its end.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// The names under which this address is asked.
    fn is_own_host(&self, host: &str) -> bool {
        let port = self.address.port();
        // Browsers leave that one out.
        let host = if port == 80 && !host.ends_with(":80") {
            format!("{host}:80")
        } else {
            host.to_owned()
        };
        host == self.address.to_string() || host.eq_ignore_ascii_case(&format!("localhost:{port}"))
    }

    /// Cookies know no ports: another mesosflow's on this machine has another name.
    fn cookie_name(&self) -> String {
        format!("mesosflow-{}", self.address.port())
    }

    pub(super) fn judge(&self, request: &Request<Body>) -> Verdict {
        let headers = request.headers();
        let hosts: Vec<_> = headers.get_all(HOST).iter().map(HeaderValue::to_str).collect();
        let [Ok(host)] = hosts.as_slice() else {
            return refuse(StatusCode::BAD_REQUEST, "the request names no host, or several");
        };
        let authority = request.uri().authority().map(ToString::to_string);
        if !self.is_own_host(host) || authority.is_some_and(|authority| !self.is_own_host(&authority)) {
            return refuse(
                StatusCode::MISDIRECTED_REQUEST,
                "this is mesosflow, which answers under its own address alone",
            );
        }
        let is_foreign = |origin: &HeaderValue| {
            let origin = origin
                .to_str()
                .ok()
                .and_then(|origin| origin.strip_prefix("http://"));
            !origin.is_some_and(|origin| self.is_own_host(origin))
        };
        if headers.get_all(ORIGIN).iter().any(is_foreign) {
            return refuse(
                StatusCode::FORBIDDEN,
                "the request comes from a page of somebody else's",
            );
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return refuse(
                StatusCode::METHOD_NOT_ALLOWED,
                "there is nothing to be changed here",
            );
        }
        if let Some(token) = token(request) {
            return match is_same(token, &self.token) {
                true => self.exchange(),
                false => refuse(StatusCode::FORBIDDEN, WITHOUT),
            };
        }
        match self.has_cookie(headers) {
            true => Verdict::Pass,
            false => refuse(StatusCode::FORBIDDEN, WITHOUT),
        }
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let cookies = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let name = self.cookie_name();
        cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .any(|(key, value)| key == name && is_same(value, &self.cookie))
    }

    /// The cookie, with a page that goes on by itself: after a redirection from elsewhere a strict cookie would not be sent.
    fn exchange(&self) -> Verdict {
        let cookie = format!(
            "{}={}; Path={}/; HttpOnly; SameSite=Strict",
            self.cookie_name(),
            self.cookie,
            self.base
        );
        let mut response = plain(
            StatusCode::OK,
            "text/html; charset=utf-8",
            &format!(
                "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0;url={base}/\"><title>mesosflow</title>\
                 <p><a href=\"{base}/\">To the clusters and runs</a></p></html>",
                base = self.base
            ),
        );
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        Verdict::Exchange(response)
    }
}

const WITHOUT: &str = "this page is shown to whoever has the link that `mesosflow ui` printed; open that one";

/// The token in a request's address.
fn token(request: &Request<Body>) -> Option<&str> {
    let words = request
        .uri()
        .query()
        .into_iter()
        .flat_map(|query| query.split('&'));
    words.filter_map(|word| word.strip_prefix("token=")).next()
}

fn chance() -> Result<String, getrandom::Error> {
    let mut bytes = [0; CHANCE];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

/// Whether both are the same, in a time that does not tell how far they are.
fn is_same(one: &str, other: &str) -> bool {
    let pairs = one.bytes().zip(other.bytes());
    one.len() == other.len() && pairs.fold(0, |all, (one, other)| all | (one ^ other)) == 0
}

fn refuse(status: StatusCode, why: &'static str) -> Verdict {
    Verdict::Refuse(plain(status, "text/plain; charset=utf-8", why))
}

fn plain(status: StatusCode, kind: &'static str, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// What every answer says of itself.
pub(super) fn close(headers: &mut HeaderMap) {
    let all: [(HeaderName, &'static str); 7] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in all {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard::new("127.0.0.1:4711".parse().unwrap()).unwrap()
    }

    fn ask(guard: &Guard, path: &str, headers: &[(&str, &str)]) -> (u16, Option<String>) {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match guard.judge(&request.body(Body::empty()).unwrap()) {
            Verdict::Pass => (0, None),
            Verdict::Exchange(response) | Verdict::Refuse(response) => {
                let cookie = response.headers().get(SET_COOKIE);
                let cookie = cookie.map(|cookie| cookie.to_str().unwrap().to_owned());
                (response.status().as_u16(), cookie)
            }
        }
    }

    const HERE: (&str, &str) = ("host", "127.0.0.1:4711");

    #[test]
    fn the_token_is_exchanged_for_a_cookie_which_lets_in() {
        let guard = guard();
        let link = guard.link();
        let path = link.strip_prefix("http://127.0.0.1:4711").unwrap();
        assert_eq!(ask(&guard, "/", &[HERE]).0, 403);
        let (status, cookie) = ask(&guard, path, &[HERE]);
        assert_eq!(status, 200);
        let cookie = cookie.unwrap();
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
            "{cookie}"
        );
        // Whatever else listens here does not get it.
        assert!(cookie.contains(&format!("Path={}/;", guard.base())), "{cookie}");
        assert!(guard.base().len() > 30);
        // The cookie is no token and the token no cookie.
        assert!(!cookie.contains(&guard.token));
        let value = cookie.split(';').next().unwrap();
        assert_eq!(ask(&guard, "/", &[HERE, ("cookie", value)]).0, 0);
        let both = format!("theirs=1; {value}");
        assert_eq!(ask(&guard, "/runs/x", &[HERE, ("cookie", &both)]).0, 0);
        let as_cookie = format!("mesosflow-4711={}", guard.token);
        assert_eq!(ask(&guard, "/", &[HERE, ("cookie", &as_cookie)]).0, 403);
        // Another mesosflow's, on another port.
        let other = value.replace("4711", "4712");
        assert_eq!(ask(&guard, "/", &[HERE, ("cookie", &other)]).0, 403);
        for wrong in [
            "/?token=",
            "/?token=00",
            &path[..path.len() - 1],
            &format!("{path}0"),
        ] {
            assert_eq!(ask(&guard, wrong, &[HERE]).0, 403, "{wrong}");
        }
    }

    #[test]
    fn whoever_comes_by_another_name_or_from_another_page_is_refused_even_with_the_cookie() {
        let guard = guard();
        let cookie = format!("mesosflow-4711={}", guard.cookie);
        let with = |host: &str, origin: Option<&str>| {
            let mut headers = vec![("host", host), ("cookie", cookie.as_str())];
            headers.extend(origin.map(|origin| ("origin", origin)));
            ask(&guard, "/", &headers).0
        };
        assert_eq!(with("127.0.0.1:4711", None), 0);
        assert_eq!(with("localhost:4711", Some("http://localhost:4711")), 0);
        for host in [
            "evil.example:4711",
            "127.0.0.1",
            "127.0.0.1:80",
            "localhost.evil.example:4711",
            "",
        ] {
            assert_eq!(with(host, None), 421, "{host}");
        }
        for origin in [
            "null",
            "http://evil.example",
            "https://127.0.0.1:4711",
            "http://127.0.0.1:4712",
        ] {
            assert_eq!(with("127.0.0.1:4711", Some(origin)), 403, "{origin}");
        }
        assert_eq!(ask(&guard, "/", &[("cookie", &cookie)]).0, 400);
    }

    #[test]
    fn nothing_can_be_changed() {
        let guard = guard();
        let cookie = format!("mesosflow-4711={}", guard.cookie);
        let request = Request::post("/").header("host", HERE.1).header("cookie", cookie);
        match guard.judge(&request.body(Body::empty()).unwrap()) {
            Verdict::Refuse(response) => assert_eq!(response.status(), 405),
            Verdict::Pass | Verdict::Exchange(_) => panic!("a POST is answered"),
        }
    }
}
