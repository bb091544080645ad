//! The front: takes the calls in moto's place, writes them down, does to them what the faults say, and hands them on.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::buckets::Buckets;
use super::call::{Call, looks};
use super::fault::{Faults, What};
use super::instance::Instance;
use super::line::{Line, Lines};
use super::options;
use super::tokens::{Known, Tokens, instances};

/// More than any call of EC2 has.
const BODY_LIMIT: usize = 1 << 20;

/// The console of the machine behind an instance, if there is one.
pub(super) type Consoles = dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync;

/// Of moto, or in its place; otherwise why there is none.
type Answer = Result<(StatusCode, Bytes), String>;

/// What the front knows.
pub(super) struct Front {
    moto: String,
    client: Client<HttpConnector, Full<Bytes>>,
    ec2: aws_sdk_ec2::Client,
    calls: Mutex<Vec<Call>>,
    faults: Mutex<Faults>,
    buckets: Mutex<Option<Buckets>>,
    consoles: Mutex<Option<Arc<Consoles>>>,
    /// `None` once tokens are ignored. Locked over a launch: of two at once, one is the second.
    tokens: tokio::sync::Mutex<Option<Tokens>>,
    /// Instances launched from now on are hidden, while it is `Some`: those hidden so far.
    hidden: Mutex<Option<Vec<String>>>,
    /// Read while something is launched: moto shows an instance before its volumes and tags.
    launches: RwLock<()>,
    /// Calls that may have changed something and are done.
    changes: AtomicU64,
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front")
            .field("moto", &self.moto)
            .finish_non_exhaustive()
    }
}

/// What a panicking test leaves behind is still good.
fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Front {
    /// A front before moto at that address.
    pub(super) fn new(moto: String, ec2: aws_sdk_ec2::Client) -> Arc<Self> {
        Arc::new(Self {
            moto,
            client: Client::builder(TokioExecutor::new()).build_http(),
            ec2,
            calls: Mutex::default(),
            faults: Mutex::default(),
            buckets: Mutex::default(),
            consoles: Mutex::default(),
            tokens: tokio::sync::Mutex::new(Some(Tokens::default())),
            changes: AtomicU64::new(0),
            hidden: Mutex::default(),
            launches: RwLock::new(()),
        })
    }

    /// Answers what comes over these lines, for as long as the runtime lives.
    pub(super) async fn serve(self: Arc<Self>, lines: Lines) {
        let router = Router::new().fallback(answer).with_state(self);
        let service = router.into_make_service_with_connect_info::<Line>();
        // It only ends with the runtime.
        let _ended = axum::serve(lines, service).await;
    }

    /// Every call so far.
    pub(super) fn calls(&self) -> Vec<Call> {
        locked(&self.calls).clone()
    }

    /// The faults from now on.
    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        locked(&self.faults)
    }

    /// From now on, calls are rationed as EC2 does it, out of full buckets.
    pub(super) fn ration(&self) {
        *locked(&self.buckets) = Some(Buckets::new());
    }

    /// How many calls were too many since then.
    pub(super) fn refused(&self) -> usize {
        locked(&self.buckets).as_ref().map_or(0, Buckets::refused)
    }

    /// From now on, consoles are those of machines.
    pub(super) fn show(&self, consoles: Arc<Consoles>) {
        *locked(&self.consoles) = Some(consoles);
    }

    /// How many calls that may have changed something are done.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// While this is held, nothing is launched: what there is is whole. Not for async code.
    pub(super) fn still(&self) -> RwLockWriteGuard<'_, ()> {
        self.launches.blocking_write()
    }

    /// While this is held, something may be launched past the front. Not for async code.
    pub(super) fn launching(&self) -> RwLockReadGuard<'_, ()> {
        self.launches.blocking_read()
    }

    /// From now on, no look shows what is launched.
    pub(super) fn lag(&self) {
        *locked(&self.hidden) = Some(Vec::new());
    }

    /// From now on, this instance is shown.
    pub(super) fn reveal(&self, id: &str) {
        if let Some(hidden) = locked(&self.hidden).as_mut() {
            hidden.retain(|hidden| hidden != id);
        }
    }

    /// From now on, everything is shown.
    pub(super) fn catch_up(&self) {
        *locked(&self.hidden) = None;
    }

    /// The answer as far as it is shown already: of volumes too, those of machines that are hidden are.
    fn as_shown(&self, call: &Call, body: Bytes) -> Bytes {
        let mut hidden = locked(&self.hidden);
        let Some(hidden) = hidden.as_mut() else {
            return body;
        };
        match call.action.as_str() {
            "RunInstances" => {
                hidden.extend(instances(&body));
                body
            }
            "DescribeInstances" | "DescribeVolumes" => {
                let text = String::from_utf8_lossy(&body);
                without(&text, |item| hidden.iter().any(|id| item.contains(id.as_str()))).into()
            }
            _ => body,
        }
    }

    /// From now on, the same token launches again, as if EC2 had forgotten it.
    pub(super) async fn ignore_tokens(&self) {
        *self.tokens.lock().await = None;
    }

    /// Has the call done, whether or not anybody waits for the answer.
    async fn forward(self: Arc<Self>, request: Request<Full<Bytes>>, call: Call) -> Response {
        let done = tokio::spawn(async move {
            let _launch = match call.action.as_str() {
                "RunInstances" | "RequestSpotInstances" => Some(self.launches.read().await),
                _ => None,
            };
            let done = match (self.about_options(request, &call).await, Tokens::of(&call)) {
                (Err(refused), _) => refused,
                (Ok(request), Some(token)) => self.launch(token, request, &call).await,
                (Ok(request), None) => self.ask_moto(request).await,
            };
            if !looks(&call.action) {
                self.changes.fetch_add(1, Ordering::SeqCst);
            }
            match done {
                Ok((status, body)) => {
                    let body = self.as_shown(&call, body);
                    respond(status, self.with_console(&call, body).await)
                }
                Err(error) => gateway(&error),
            }
        });
        done.await.unwrap_or_else(|error| gateway(&error.to_string()))
    }

    /// A call as moto has to get it, as far as the options of a machine's metadata are concerned; EC2's answer where it refuses it.
    async fn about_options(
        &self,
        request: Request<Full<Bytes>>,
        call: &Call,
    ) -> Result<Request<Full<Bytes>>, Answer> {
        let of_machine = call.value("InstanceId").filter(|_| options::is_change(call));
        let machine = match of_machine {
            None => None,
            Some(id) => {
                let found = self.ec2.describe_instances().instance_ids(id).send().await;
                // One that is not there moto refuses itself.
                let found = found.ok().and_then(|mut found| found.reservations.take()?.pop());
                found.and_then(|mut reservation| reservation.instances.take()?.pop())
            }
        };
        let tags = machine.iter().flat_map(|machine| machine.tags());
        let keys: Vec<_> = tags.filter_map(|tag| tag.key().map(str::to_owned)).collect();
        if let Some((status, code, message)) = options::refusal(call, &keys) {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            return Err(Ok((status, refusal(code, &message).into())));
        }
        let Some(now) = machine.as_ref().and_then(|machine| machine.metadata_options()) else {
            return Ok(request);
        };
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|error| Err(error.to_string()))?;
        let whole = options::whole(call, &body.to_bytes(), now);
        parts.headers.remove(header::CONTENT_LENGTH);
        Ok(Request::from_parts(parts, Full::new(whole)))
    }

    async fn ask_moto(&self, request: Request<Full<Bytes>>) -> Answer {
        let answer = self
            .client
            .request(request)
            .await
            .map_err(|error| error.to_string())?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?;
        Ok((parts.status, body.to_bytes()))
    }

    /// Launches once under each token, as EC2 does ("Ensuring idempotency" in its API reference).
    async fn launch(&self, token: &str, request: Request<Full<Bytes>>, call: &Call) -> Answer {
        let mut tokens = self.tokens.lock().await;
        let Some(tokens) = tokens.as_mut() else {
            return self.ask_moto(request).await;
        };
        let refused = |code, message| Ok((StatusCode::BAD_REQUEST, refusal(code, message).into()));
        match tokens.known(token, call) {
            Known::New => {
                let (status, body) = self.ask_moto(request).await?;
                if status.is_success() {
                    tokens.keep(token.to_owned(), call, body.clone());
                }
                Ok((status, body))
            }
            Known::Other => refused(
                "IdempotentParameterMismatch",
                "The client token was used with other parameters.",
            ),
            Known::Same(body) => {
                let call = self
                    .ec2
                    .describe_instances()
                    .set_instance_ids(Some(instances(&body)));
                let found = call.send().await.map_err(|error| format!("{error:?}"))?;
                let mut found = found
                    .reservations()
                    .iter()
                    .flat_map(|reservation| reservation.instances());
                if found.any(|instance| Instance::new(instance).is_over()) {
                    return refused(
                        "IdempotentInstanceTerminated",
                        "The client token belongs to an instance that is terminated.",
                    );
                }
                Ok((StatusCode::OK, body))
            }
        }
    }

    async fn with_console(&self, call: &Call, body: Bytes) -> Bytes {
        let consoles = locked(&self.consoles).clone();
        let (Some(consoles), Some(id), "GetConsoleOutput") =
            (consoles, call.value("InstanceId"), call.action.as_str())
        else {
            return body;
        };
        let id = id.to_owned();
        let console = tokio::task::spawn_blocking(move || consoles(&id)).await;
        let Some(console) = console.ok().flatten() else {
            return body;
        };
        let text = String::from_utf8_lossy(&body).into_owned();
        let (Some((head, _)), Some((_, tail))) = (text.split_once("<output>"), text.split_once("</output>"))
        else {
            return body;
        };
        Bytes::from(format!(
            "{head}<output>{}</output>{tail}",
            STANDARD.encode(console)
        ))
    }
}

async fn answer(
    State(front): State<Arc<Front>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let call = Call::parse(&body);
    let goes = match locked(&front.buckets).as_mut() {
        Some(buckets) => buckets.take(&call.action, call.at),
        None => true,
    };
    let what = match goes {
        true => front.faults().of(&call),
        false => Some(What::TOO_MANY),
    };
    locked(&front.calls).push(call.clone());
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = match format!("{}{path}", front.moto).parse() {
        Ok(uri) => uri,
        Err(_) => return StatusCode::BAD_REQUEST.into_response(),
    };
    // Moto takes the region out of the signature, and the rest of the headers as they are.
    parts.headers.remove(header::HOST);
    let refused = call.clone();
    let forward = || {
        front
            .clone()
            .forward(Request::from_parts(parts, Full::new(body)), call)
    };
    match what {
        None => forward().await,
        Some(What::Refuse {
            status,
            code,
            message,
        }) => {
            if let Some(tokens) = front.tokens.lock().await.as_mut() {
                tokens.refused(&refused, code);
            }
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            respond(status, refusal(code, message).into())
        }
        Some(What::DropBefore) => {
            line.cut();
            StatusCode::NO_CONTENT.into_response()
        }
        Some(What::DropAfter) => {
            let done = forward().await;
            line.cut();
            done
        }
        Some(What::ServerErrorAfter) => {
            forward().await;
            let message = "An internal error has occurred";
            respond(
                StatusCode::INTERNAL_SERVER_ERROR,
                refusal("InternalError", message).into(),
            )
        }
        Some(What::DelayAnswer(pause)) => {
            let done = forward().await;
            tokio::time::sleep(pause).await;
            done
        }
        Some(What::Hold(gate)) => {
            let done = forward().await;
            gate.pass().await;
            done
        }
        Some(What::Rewrite(rewrite)) => {
            let (parts, body) = forward().await.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
            let text = rewrite(&String::from_utf8_lossy(&body));
            respond(parts.status, text.into())
        }
    }
}

fn respond(status: StatusCode, body: Bytes) -> Response {
    let kind = (header::CONTENT_TYPE, "text/xml;charset=UTF-8");
    (status, [kind], Body::from(body)).into_response()
}

/// A list of EC2's without those of its outermost items that are hidden.
fn without(text: &str, is_hidden: impl Fn(&str) -> bool) -> String {
    const OPEN: &str = "<item>";
    const CLOSE: &str = "</item>";
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(start) = rest.find(OPEN) {
        let (mut depth, mut end) = (0, start);
        loop {
            let (open, close) = (rest[end..].find(OPEN), rest[end..].find(CLOSE));
            match (open, close) {
                (Some(open), Some(close)) if open < close => {
                    depth += 1;
                    end += open + OPEN.len();
                }
                (_, Some(close)) => {
                    depth -= 1;
                    end += close + CLOSE.len();
                }
                (_, None) => return text.to_owned(),
            }
            if depth == 0 {
                break;
            }
        }
        shown.push_str(&rest[..start]);
        if !is_hidden(&rest[start..end]) {
            shown.push_str(&rest[start..end]);
        }
        rest = &rest[end..];
    }
    shown + rest
}

/// What moto did not answer at all is no error of EC2's: nothing of a test may take it for one.
fn gateway(error: &str) -> Response {
    (
        StatusCode::BAD_GATEWAY,
        format!("the stand-in for AWS did not answer: {error}"),
    )
        .into_response()
}

/// EC2's way to refuse.
fn refusal(code: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message>\
         </Error></Errors><RequestID>7b1c9f7e-5d3c-4a7e-9f43-0c1d2e3f4a5b</RequestID></Response>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_taken_out_of_a_list_with_all_that_is_in_it() {
        let list = "<set><item><id>i-1</id><in><item>a</item><item>b</item></in></item><item><id>i-2</id></item></set>";
        assert_eq!(
            without(list, |item| item.contains("i-1")),
            "<set><item><id>i-2</id></item></set>"
        );
        assert_eq!(
            without(list, |item| item.contains("i-2")),
            list.replace("<item><id>i-2</id></item>", "")
        );
        assert_eq!(without(list, |_| false), list);
        assert_eq!(without("<set/>", |_| true), "<set/>");
    }
}
