//! The service itself: who asks, whether they may, and what they are told.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::known;
use super::tokens::Tokens;
use crate::cloud::call::decoded;
use crate::cloud::instance::Instance;
use crate::cloud::world::World;
use crate::engine::Engine;

const TOKEN: &str = "x-aws-ec2-metadata-token";
const LIFE: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN_PATH: &str = "/latest/api/token";
const META_DATA: &str = "/latest/meta-data/";
/// The status that [`Asked`] has for what was never answered.
const NOT_ANSWERED: u16 = 0;

/// What a machine is told in place of the truth.
#[derive(Debug, Clone)]
pub enum Lie {
    /// This, with the status 200.
    Text(String),
    /// This status of HTTP, with a page in words.
    Status(u16),
    /// No answer, however long it waits.
    Hang,
}

impl Lie {
    /// A page of somebody who stands in the way, as proxies have them.
    pub fn page() -> Self {
        Self::Text("<!DOCTYPE html>\n<html><head><title>Welcome</title></head>\n<body>Please log in.</body></html>\n".into())
    }
}

/// What somebody asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The instance; none where nobody knows whose the address is.
    pub instance: Option<String>,
    /// The address that it was asked from.
    pub address: IpAddr,
    /// As `GET`.
    pub method: String,
    /// As `/latest/meta-data/instance-id`.
    pub path: String,
    /// The status of the answer; 0 where there was none.
    pub status: u16,
}

/// A lie, to whom and about what.
#[derive(Debug)]
struct Rule {
    instance: Option<String>,
    path: String,
    lie: Lie,
}

#[derive(Debug)]
pub(super) struct Service {
    world: World,
    engine: Engine,
    /// Of the machines' containers.
    label: String,
    tokens: Mutex<Tokens>,
    rules: Mutex<Vec<Rule>>,
    asked: Mutex<Vec<Asked>>,
}

/// What a panicking test leaves behind is still good.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Service {
    pub(super) fn new(world: World, engine: Engine, label: &str) -> Arc<Self> {
        Arc::new(Self {
            world,
            engine,
            label: label.to_owned(),
            tokens: Mutex::default(),
            rules: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    /// Answers for as long as the runtime lives.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener) {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let router = Router::new().fallback(answer).with_state(self);
        // It only ends with the runtime.
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let _ended = axum::serve(listener, service).await;
    }

    pub(super) fn lie(&self, instance: Option<&str>, path: &str, lie: Lie) {
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("{META_DATA}{path}"),
        };
        let instance = instance.map(str::to_owned);
        locked(&self.rules).push(Rule { instance, path, lie });
    }

    pub(super) fn heal(&self) {
        locked(&self.rules).clear();
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        locked(&self.asked).clone()
    }

    /// The last lie for that instance about that path.
    fn lie_for(&self, instance: Option<&str>, path: &str) -> Option<Lie> {
        let is_about = |rule: &&Rule| {
            let is_below = rule.path.ends_with('/') && path.starts_with(&rule.path);
            (is_below || rule.path == path)
                && (rule.instance.is_none() || rule.instance.as_deref() == instance)
        };
        let rules = locked(&self.rules);
        rules.iter().rev().find(is_about).map(|rule| rule.lie.clone())
    }

    /// Whose address it is: as the cloud says, or, of a machine that has got another one since, as the engine does. Waits.
    fn whose(&self, address: IpAddr) -> Option<Instance> {
        let mut all = self.world.all_instances();
        all.retain(|instance| !instance.is_over());
        let text = address.to_string();
        if let Some(at) = all.iter().position(|instance| instance.private_ip == text) {
            return Some(all.swap_remove(at));
        }
        let has_it = |instance: &Instance| {
            let template = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
            let listed = self
                .engine
                .run(&["container", "inspect", "--format", template, &instance.id]);
            listed.out.split_whitespace().any(|word| word == text)
        };
        let names = self.engine.containers(&self.label);
        all.into_iter()
            .find(|instance| names.contains(&instance.id) && has_it(instance))
    }

    /// The truth about a path. Waits.
    fn truth(&self, path: &str, instance: &Instance, address: &str) -> Option<String> {
        match path.strip_prefix("/latest")? {
            "" | "/" => Some("meta-data\nuser-data".into()),
            "/user-data" => {
                let data = self.world.user_data(&instance.id);
                Some(String::from_utf8_lossy(&data).into_owned()).filter(|data| !data.is_empty())
            }
            path => {
                let below = path.strip_prefix("/meta-data")?;
                (below.is_empty() || below.starts_with('/')).then_some(())?;
                known::at(below.trim_matches('/'), instance, address)
            }
        }
    }

    /// Answers one question; writes down which, before it is answered.
    async fn reply(
        self: Arc<Self>,
        from: IpAddr,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Response {
        let instance = {
            let service = self.clone();
            let found = tokio::task::spawn_blocking(move || service.whose(from)).await;
            found.ok().flatten()
        };
        let id = instance.as_ref().map(|instance| instance.id.clone());
        let number = {
            let mut asked = locked(&self.asked);
            asked.push(Asked {
                instance: id.clone(),
                address: from,
                method: method.to_string(),
                path: path.to_owned(),
                status: NOT_ANSWERED,
            });
            asked.len() - 1
        };
        let response = self.clone().respond(from, instance, method, path, headers).await;
        locked(&self.asked)[number].status = response.status().as_u16();
        response
    }

    async fn respond(
        self: Arc<Self>,
        from: IpAddr,
        instance: Option<Instance>,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Response {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let asks_for_token = path == TOKEN_PATH && method == Method::PUT;
        let is_known = text(TOKEN).is_some_and(|token| locked(&self.tokens).know(token, from));
        if !asks_for_token && !is_known {
            return page(StatusCode::UNAUTHORIZED);
        }
        match self.lie_for(instance.as_ref().map(|instance| instance.id.as_str()), path) {
            Some(Lie::Hang) => return std::future::pending().await,
            Some(Lie::Status(status)) => {
                return page(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
            }
            Some(Lie::Text(text)) => return plain(text),
            None => {}
        }
        if asks_for_token {
            // What came through a proxy is nobody's.
            if headers.contains_key("x-forwarded-for") {
                return page(StatusCode::FORBIDDEN);
            }
            return match locked(&self.tokens).give(from, text(LIFE)) {
                None => page(StatusCode::BAD_REQUEST),
                Some((token, life)) => ([(LIFE, life.to_string())], plain(token)).into_response(),
            };
        }
        if !matches!(*method, Method::GET | Method::HEAD) || path == TOKEN_PATH {
            return page(StatusCode::METHOD_NOT_ALLOWED);
        }
        let Some(instance) = instance else {
            return page(StatusCode::NOT_FOUND);
        };
        let path = path.to_owned();
        let truth =
            tokio::task::spawn_blocking(move || self.truth(&path, &instance, &from.to_string())).await;
        match truth.ok().flatten() {
            Some(text) => plain(text),
            None => page(StatusCode::NOT_FOUND),
        }
    }
}

async fn answer(
    State(service): State<Arc<Service>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    // In a path, a plus is one.
    let path = request.uri().path().replace('+', "%2B");
    let path = decoded(path.as_bytes());
    service
        .reply(from.ip(), request.method(), &path, request.headers())
        .await
}

fn plain(text: String) -> Response {
    (
        [(header::CONTENT_TYPE, "text/plain"), (header::SERVER, "EC2ws")],
        text,
    )
        .into_response()
}

/// EC2 says in a page what it does not tell.
fn page(status: StatusCode) -> Response {
    let title = format!(
        "{} - {}",
        status.as_u16(),
        status.canonical_reason().unwrap_or("Error")
    );
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Transitional//EN\"\n\t\
         \"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd\">\n<html xmlns=\"http://www.w3.org/1999/xhtml\" \
         xml:lang=\"en\" lang=\"en\">\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n </body>\n</html>\n"
    );
    let headers = [(header::CONTENT_TYPE, "text/html"), (header::SERVER, "EC2ws")];
    (status, headers, text).into_response()
}
