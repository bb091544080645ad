//! Asking the leading master, from the node of whichever master answers.
//!
//! Who leads is found out on that node, anew for each request: there are elections. A request whose answer is lost may have been
//! heard: that is *ambiguous*, and whoever asked looks how things stand before anything is asked again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mesosflow_workflow::{ErrorClass, StepError as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ground::Ground;
use crate::act::ActError;
use crate::cluster::{MESOS_MASTER_PORT, Node};
use crate::world::Script;

const LEADS: &str = shell!("mesos-leads.sh");
const OPERATE: &str = shell!("mesos-operate.sh");

/// How long one answer may take: a change goes through the masters' replicated log first.
const ANSWER_S: u64 = 10;
/// How long all may take that are asked for at once, and whoever leads to be found.
const ANSWERS_LIMIT: Duration = Duration::from_secs(90);

/// Curl's word for a master that nobody could connect to: it has heard nothing.
const NOT_CONNECTED: i32 = 7;

/// What to do where the masters want to know who asks.
const LOG_IN: &str = "the masters want a login for it (`authenticate_http_readwrite`, `http_credentials`, `acls`), and mesosflow has none: \
                      do it as their operator, then `mesosflow resume`";

/// The way to the leading master.
pub(crate) struct Operator<'a> {
    ground: &'a dyn Ground,
    masters: &'a [Node],
    /// The one whose node has answered last.
    via: AtomicUsize,
}

/// What a master has answered with success.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    master: String,
    text: String,
}

impl<'a> Operator<'a> {
    pub(crate) fn new(ground: &'a dyn Ground, masters: &'a [Node]) -> Self {
        Self {
            ground,
            masters,
            via: AtomicUsize::new(0),
        }
    }

    /// What one and the same leading master answers for these paths.
    ///
    /// # Errors
    /// No master leads, or can be asked; or this one says something else.
    pub(crate) async fn get<const N: usize>(
        &self,
        doing: &str,
        paths: [&str; N],
    ) -> Result<[Answer; N], ActError> {
        let said = self.send(doing, "GET", &paths, Vec::new()).await?;
        let answers: Vec<_> = said.into_iter().map(Answer).collect();
        answers
            .try_into()
            .map_err(|_| ActError::not_yet(format!("cannot {doing}: an answer is missing")))
    }

    /// Has the leading master do something.
    ///
    /// # Errors
    /// No master leads, or can be asked; this one refuses; or it is not known whether it has done it.
    pub(crate) async fn post(
        &self,
        doing: &str,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<(), ActError> {
        let body =
            serde_json::to_vec(body).map_err(|error| ActError::wrong(format!("cannot {doing}: {error}")))?;
        self.send(doing, "POST", &[path], body).await.map(drop)
    }

    async fn send(
        &self,
        doing: &str,
        method: &str,
        paths: &[&str],
        body: Vec<u8>,
    ) -> Result<Vec<Said>, ActError> {
        let addresses: Vec<_> = self
            .masters
            .iter()
            .map(|node| node.private_ip.to_string())
            .collect();
        let script = Script::new(doing, OPERATE)
            .before(LEADS)
            .var("masters", addresses.join(" "))
            .var("port", MESOS_MASTER_PORT)
            .var("method", method)
            .var("paths", paths.join(" "))
            .var("seconds", ANSWER_S)
            .within(ANSWERS_LIMIT)
            .stdin(body);
        let first = self.via.load(Ordering::Relaxed);
        let mut failed = ActError::not_yet(format!("cannot {doing}: there is no master"));
        for at in (0..self.masters.len()).map(|more| (first + more) % self.masters.len()) {
            match self.ground.run(&self.masters[at], script.clone()).await {
                Ok(output) => {
                    self.via.store(at, Ordering::Relaxed);
                    return answers(&output.stdout_str(), doing, method == "POST");
                }
                Err(error) if error.exit_status() == Some(1) => {
                    failed = ActError::not_yet(format!("cannot {doing}: no master leads"));
                }
                // Nothing was sent; another master's node may answer.
                Err(error) if error.class() == ErrorClass::Transient => failed = error.into(),
                Err(error) => return Err(error.into()),
            }
        }
        Err(failed)
    }
}

/// A text that is to be JSON.
#[derive(Debug)]
pub(crate) struct Answer(Said);

impl Answer {
    /// What it says.
    ///
    /// # Errors
    /// It is not what this master's version is known to say.
    pub(crate) fn read<T: DeserializeOwned>(&self, what: &str) -> Result<T, ActError> {
        serde_json::from_str(&self.0.text).map_err(|error| {
            let master = &self.0.master;
            ActError::not_yet(format!(
                "cannot understand what the master {master} says of {what}: {error}"
            ))
        })
    }
}

/// `ADDRESS STATUS CURL` and a line of text for each path.
fn answers(said: &str, doing: &str, changes: bool) -> Result<Vec<Said>, ActError> {
    let mut lines = said.lines();
    let mut all = Vec::new();
    while let Some(head) = lines.next() {
        let mut words = head.split(' ');
        let (master, status, ended) = (words.next(), words.next(), words.next());
        let numbers = status
            .and_then(|word| word.parse().ok())
            .zip(ended.and_then(|word| word.parse().ok()));
        let (Some(master), Some((status, ended))) = (master, numbers) else {
            return Err(ActError::not_yet(format!(
                "cannot {doing}: {head:?} is no answer"
            )));
        };
        let text = lines.next().unwrap_or_default();
        judge(master, status, ended, text, doing, changes)?;
        all.push(Said {
            master: master.to_owned(),
            text: text.to_owned(),
        });
    }
    Ok(all)
}

/// What an answer means for whoever has asked.
fn judge(
    master: &str,
    status: u16,
    ended: i32,
    text: &str,
    doing: &str,
    changes: bool,
) -> Result<(), ActError> {
    let shown: String = text.trim().chars().take(300).collect();
    let with = |class, what: String, hint: Option<&str>| {
        Err(ActError::Unmet {
            what: format!("cannot {doing}: the master {master} {what}"),
            class,
            hint: hint.map(str::to_owned),
        })
    };
    match (ended, status) {
        (NOT_CONNECTED, _) => with(ErrorClass::Transient, format!("is not reached: {shown}"), None),
        (0, 200..=299) => Ok(()),
        (0, 401 | 403) => with(
            ErrorClass::Operator,
            format!("lets nobody do it whom it does not know (HTTP {status}) {shown}")
                .trim_end()
                .to_owned(),
            Some(LOG_IN),
        ),
        (0, 307 | 503) => with(
            ErrorClass::Transient,
            format!("does not lead any more, or not yet (HTTP {status}) {shown}")
                .trim_end()
                .to_owned(),
            None,
        ),
        (0, 500..=599) if changes => with(
            ErrorClass::Ambiguous,
            format!("says HTTP {status}: {shown}"),
            None,
        ),
        (0, 500..=599) => with(
            ErrorClass::Transient,
            format!("says HTTP {status}: {shown}"),
            None,
        ),
        (0, _) => with(
            ErrorClass::Permanent,
            format!("refuses (HTTP {status}): {shown}"),
            None,
        ),
        _ if changes => with(
            ErrorClass::Ambiguous,
            format!("was asked, and its answer is lost: {shown}"),
            None,
        ),
        _ => with(ErrorClass::Transient, format!("does not answer: {shown}"), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(said: &str, changes: bool) -> (ErrorClass, String) {
        let error = answers(said, "drain the agent of demo-slave-1", changes).unwrap_err();
        (error.class(), error.to_string())
    }

    #[test]
    fn an_answer_is_what_its_master_said() {
        let said = answers("10.0.0.1 200 0\n{\"a\":1}\n10.0.0.1 200 0\n\n", "look", false).unwrap();
        assert_eq!((said[0].text.as_str(), said[1].text.as_str()), ("{\"a\":1}", ""));
        assert_eq!(said[0].master, "10.0.0.1");
    }

    #[test]
    fn what_came_instead_says_what_may_be_done() {
        let (class_of, text) = class("10.0.0.1 400 0\nFailed to validate master::Call: x\n", true);
        assert_eq!(class_of, ErrorClass::Permanent);
        for word in ["demo-slave-1", "10.0.0.1", "400", "Failed to validate"] {
            assert!(text.contains(word), "{text}");
        }
        // Nobody was asked; or somebody was, and may have done it.
        let refused = "10.0.0.1 000 7\ncurl: (7) Failed to connect\n";
        assert_eq!(class(refused, true).0, ErrorClass::Transient);
        let lost = "10.0.0.1 000 28\ncurl: (28) Operation timed out\n";
        assert_eq!(class(lost, true).0, ErrorClass::Ambiguous);
        assert_eq!(class(lost, false).0, ErrorClass::Transient);
        assert_eq!(class("10.0.0.1 500 0\n\n", true).0, ErrorClass::Ambiguous);
        for election in ["10.0.0.1 307 0\n\n", "10.0.0.1 503 0\nNo leader elected\n"] {
            assert_eq!(class(election, true).0, ErrorClass::Transient);
        }
        for login in ["10.0.0.1 401 0\n\n", "10.0.0.1 403 0\n\n"] {
            let error = answers(login, "look", false).unwrap_err();
            assert_eq!(error.class(), ErrorClass::Operator);
            assert!(error.hint().unwrap().contains("resume"), "{error}");
        }
        assert_eq!(class("what\n", false).0, ErrorClass::Transient);
    }
}
