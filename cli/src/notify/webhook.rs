//! A web hook: where a run's end is posted to. Its URL is a secret as often as not, so that nothing but scheme and host is ever shown.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Error};

/// Where a run's end is posted to.
#[derive(Clone)]
pub(crate) struct Webhook {
    url: Uri,
    shown: String,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Webhook {
    /// The hook at a URL; or what is wrong with that and what to do, in words that do not hold it.
    pub(super) fn parse(url: &str) -> Result<Self, (&'static str, &'static str)> {
        const NAME: &str = "name a whole URL: `https://HOST/PATH`";
        if url.trim().is_empty() {
            return Err(("is empty", "name a URL, or leave the key out"));
        }
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(("is no http:// or https:// URL", NAME));
        };
        let scheme = scheme.to_ascii_lowercase();
        if !["http", "https"].contains(&scheme.as_str()) {
            return Err(("is no http:// or https:// URL", NAME));
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err((
                "holds a name or password before `@`",
                "a server that asks for them is a matter of `command`: `curl --netrc --json @- URL`",
            ));
        }
        // A fragment is the browser's alone; the rest says which hook is meant.
        let url = url.split('#').next().unwrap_or_default();
        match url.parse::<Uri>() {
            Ok(url) => match url.host() {
                Some(host) if !host.is_empty() => Ok(Self {
                    shown: format!("{scheme}://{host}"),
                    url,
                }),
                _ => Err(("names no host", NAME)),
            },
            Err(_) => Err(("is no URL", NAME)),
        }
    }

    /// Scheme and host.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Posts a JSON document, without following anybody elsewhere, and waits for the first line of an answer; what else is answered is
    /// not read. Blocks.
    pub(super) fn post(&self, document: &[u8], limit: Duration) -> Result<(), String> {
        let mut config = Agent::config_builder()
            .timeout_global(Some(limit))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("mesosflow/", env!("CARGO_PKG_VERSION")));
        if self.url.scheme_str() == Some("https") {
            config = config.tls_config(tls()?);
        }
        let request = config.build().new_agent().post(&self.url);
        let request = request.header("content-type", "application/json");
        match request.send(document) {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) if answer.status().is_redirection() => Err(format!(
                "it answered {}, and is not followed elsewhere",
                answer.status().as_u16()
            )),
            Ok(answer) => Err(format!("it answered {}", answer.status().as_u16())),
            Err(error) => Err(why(&error, limit)),
        }
    }
}

/// With the certificates that this machine trusts.
fn tls() -> Result<TlsConfig, String> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        return Err("this machine has no certificates to know it by (ca-certificates)".to_owned());
    }
    let certs: Vec<_> = found
        .certs
        .iter()
        .map(|cert| Certificate::from_der(cert.as_ref()).to_owned())
        .collect();
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&certs))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

/// Only what is known to hold nothing of the URL.
fn why(error: &Error, limit: Duration) -> String {
    match error {
        Error::Timeout(_) => format!("it has not answered within {} s", limit.as_secs_f32()),
        Error::HostNotFound => "its host is not known".to_owned(),
        Error::ConnectionFailed => "it cannot be reached".to_owned(),
        Error::Io(error) => error.to_string(),
        Error::Rustls(error) => error.to_string(),
        Error::Tls(error) => (*error).to_owned(),
        _ => "the request failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_place_to_post_to_is_refused_without_being_told() {
        for (url, what) in [
            ("", "is empty"),
            ("hooks.example.org/S3CRET", "is no http:// or https:// URL"),
            ("ftp://example.org/S3CRET", "is no http:// or https:// URL"),
            ("https:me:S3CRET@example.org/", "is no http:// or https:// URL"),
            ("https:///S3CRET", "is no URL"),
            ("https://exa mple.org/S3CRET", "is no URL"),
            (
                "https://me:S3CRET@example.org/",
                "holds a name or password before `@`",
            ),
            (
                "HTTPS://S3CRET@example.org",
                "holds a name or password before `@`",
            ),
        ] {
            let (why, hint) = Webhook::parse(url).unwrap_err();
            assert_eq!(why, what, "{url}");
            assert!(!hint.contains("S3CRET"), "{hint}");
        }
    }

    #[test]
    fn scheme_and_host_are_all_that_is_shown() {
        let hook = Webhook::parse("HTTPS://hooks.example.org:8443/a@b/S3CRET?token=S3CRET#S3CRET").unwrap();
        assert_eq!(
            format!("{hook:?} {}", hook.shown()),
            "https://hooks.example.org https://hooks.example.org"
        );
        let hook = Webhook::parse("http://[::1]:80/x").unwrap();
        assert_eq!(hook.shown(), "http://[::1]");
    }

    use std::sync::Mutex;

    use axum::Router;
    use axum::http::{HeaderMap, StatusCode};
    use axum::response::Redirect;
    use axum::routing::{get, post};

    const LONG: Duration = Duration::from_secs(120);

    /// What came in: the type of a document, and the document.
    type Posted = Arc<Mutex<Vec<(String, String)>>>;

    /// A server on this machine; returns where it is, and what it gets.
    async fn server() -> (String, Posted) {
        let posted = Posted::default();
        let kept = posted.clone();
        let keep = move |headers: HeaderMap, body: String| async move {
            let kind = headers["content-type"].to_str().unwrap().to_owned();
            kept.lock().unwrap().push((kind, body));
        };
        let app = Router::new()
            .route("/S3CRET", post(keep.clone()).get(keep))
            .route("/away", post(|| async { Redirect::to("/S3CRET") }))
            .route("/further", post(|| async { Redirect::permanent("/S3CRET") }))
            .route("/broken", post(|| async { (StatusCode::BAD_GATEWAY, "S3CRET") }))
            .route("/elsewhere", get(|| async {}));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        (at.to_string(), posted)
    }

    async fn sent(url: String, limit: Duration) -> Result<(), String> {
        let hook = Webhook::parse(&url).unwrap();
        let posting = tokio::task::spawn_blocking(move || hook.post(b"{\"state\":\"failed\"}", limit));
        posting.await.unwrap()
    }

    #[tokio::test]
    async fn a_document_is_posted_once_as_what_it_is_and_followed_nowhere() {
        let (at, posted) = server().await;
        sent(format!("http://{at}/S3CRET?a=b#c"), LONG).await.unwrap();
        for (path, answer) in [
            ("away", "it answered 303, and is not followed elsewhere"),
            ("further", "it answered 308, and is not followed elsewhere"),
            ("broken", "it answered 502"),
            ("elsewhere", "it answered 405"),
            ("none", "it answered 404"),
        ] {
            assert_eq!(
                sent(format!("http://{at}/{path}"), LONG).await.unwrap_err(),
                answer
            );
        }
        let posted = posted.lock().unwrap();
        let document = ("application/json".to_owned(), "{\"state\":\"failed\"}".to_owned());
        assert_eq!(*posted, [document]);
    }

    #[tokio::test]
    async fn what_does_not_answer_is_waited_for_no_longer_than_the_limit_and_no_error_tells_the_secret() {
        // It takes connections, and says nothing.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = silent.local_addr().unwrap();
        let why = sent(format!("http://{at}/S3CRET"), Duration::from_millis(500))
            .await
            .unwrap_err();
        assert_eq!(why, "it has not answered within 0.5 s");
        drop(silent);
        let why = sent(format!("http://{at}/S3CRET"), LONG).await.unwrap_err();
        assert!(why.contains("refused") && !why.contains("S3CRET"), "{why}");
        let (plain, posted) = server().await;
        let why = sent(format!("https://{plain}/S3CRET"), LONG).await.unwrap_err();
        assert!(!why.is_empty() && !why.contains("S3CRET"), "{why}");
        assert!(posted.lock().unwrap().is_empty());
    }
}
