//! A task of a tenth of a cpu, run by the deployed Mesos' own `mesos-execute`; its words tell what became of it, since it ends with 0
//! whatever that was.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::masters::Agents;
use super::{Check, What};
use crate::act::ActError;
use crate::cluster::Node;
use crate::mesos::{NO_EXECUTE, task_script};
use crate::remote::{Piece, RemoteError};

/// How long an offer with enough in it is waited for once Mesos knows of the task; masters make theirs every second.
const OFFER_LIMIT: Duration = Duration::from_secs(20);
/// How many lines are kept to be told.
const TAIL: usize = 4;

/// What became of the task, or of a job of Spark's, as far as nothing is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// It was run, and finished.
    Ran {
        /// The slave, or Mesos' id of its agent where that is no slave's.
        on: String,
    },
    /// None was run, which is nobody's fault.
    NotRun {
        /// Why.
        why: String,
    },
}

impl Task {
    /// The same in words.
    pub fn text(&self) -> String {
        match self {
            Self::Ran { on } => format!("0.1 cpus ran on {on}"),
            Self::NotRun { why } => format!("no task was run: {why}"),
        }
    }
}

/// What `mesos-execute` has said so far.
#[derive(Debug, Default)]
struct Told {
    /// What has no end of line yet.
    rest: String,
    is_subscribed: bool,
    /// The agent that got the task.
    agent: Option<String>,
    /// The state that came last, without `TASK_`.
    state: Option<String>,
    /// What was said about that state.
    message: Option<String>,
    wants_credential: bool,
    tail: Vec<String>,
}

impl Told {
    fn take(&mut self, bytes: &[u8]) {
        self.rest.push_str(&String::from_utf8_lossy(bytes));
        while let Some((line, rest)) = self.rest.split_once('\n') {
            let (line, rest) = (line.trim_end().to_owned(), rest.to_owned());
            self.rest = rest;
            self.line(&line);
        }
    }

    /// As 1.11 says it, and as those before the scheduler's HTTP interface did.
    fn line(&mut self, line: &str) {
        if line.starts_with("Subscribed with ID") || line.contains("ramework registered with") {
            self.is_subscribed = true;
        }
        if let Some((_, agent)) = line
            .split_once("' to agent '")
            .or_else(|| line.split_once("' to slave '"))
        {
            self.agent = Some(agent.trim_end_matches('\'').to_owned());
        }
        if let Some((_, rest)) = line.split_once("status update TASK_") {
            let end = rest.find(|c: char| c != '_' && !c.is_ascii_uppercase());
            self.state = Some(rest[..end.unwrap_or(rest.len())].to_owned());
            self.message = None;
        }
        if let Some(message) = line.strip_prefix("  message: ") {
            self.message = Some(message.trim_matches('\'').to_owned());
        }
        self.wants_credential |= line.contains("401 Unauthorized") || line.contains("403 Forbidden");
        if !line.trim().is_empty() {
            self.tail.push(line.to_owned());
            self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        }
    }

    /// Whether the task is over, and its reason has been said.
    fn is_over(&self) -> bool {
        match self.state.as_deref() {
            None | Some("STAGING" | "STARTING" | "RUNNING" | "KILLING" | "UNREACHABLE" | "UNKNOWN") => false,
            Some("FINISHED") => true,
            // What is wrong comes in the next line; where it does not, with the end.
            Some(_) => self.message.is_some(),
        }
    }

    /// What became of it: `status` where the program has ended, `after` where it was not waited for any longer.
    fn judge(self, status: Option<i32>, after: Duration, agents: &Agents) -> Result<Task, ActError> {
        let after = after.as_secs();
        let agent = self.agent.as_ref();
        let on = agent.map_or_else(
            || "an agent that was not named".to_owned(),
            |id| agents.get(id).unwrap_or(id).clone(),
        );
        if let Some(state) = self.state.as_deref() {
            let message = self.message.map(|message| format!(": {message}"));
            let message = message.unwrap_or_default();
            return match state {
                "FINISHED" => Ok(Task::Ran { on }),
                _ => Err(ActError::not_yet(match status {
                    None if message.is_empty() => {
                        format!("the task on {on} is TASK_{state}, and did not finish in {after} s")
                    }
                    _ => format!("the task on {on} is TASK_{state}{message}"),
                })),
            };
        }
        let tail = self.tail.join(" | ");
        Err(ActError::not_yet(match (status, agent) {
            (Some(NO_EXECUTE), None) if !self.is_subscribed => {
                return Ok(Task::NotRun {
                    why: "the deployed Mesos has no mesos-execute".to_owned(),
                });
            }
            _ if self.wants_credential => {
                return Ok(Task::NotRun {
                    why: "the masters want a credential for it".to_owned(),
                });
            }
            (Some(status), _) => format!("mesos-execute ended with {status} and ran nothing: {tail}"),
            (None, Some(_)) => format!("the task went to {on}, and nothing was heard of it in {after} s"),
            (None, None) if self.is_subscribed => {
                return Ok(Task::NotRun {
                    why: format!("no free resources: no offer of 0.1 cpus and 32 MB came within {after} s"),
                });
            }
            (None, None) => format!("the leading master took no framework within {after} s: {tail}"),
        }))
    }
}

/// How the program ended, and what it said.
pub(super) struct Executed {
    told: Told,
    /// None where it was not waited for any longer.
    status: Option<i32>,
    after: Duration,
}

impl Check<'_> {
    /// Runs the task: from the first master, or from the one that leads where that does not answer.
    pub(super) async fn run_task(&self, leader: Option<&Node>) -> Result<Executed, ActError> {
        let Some(leader) = leader else {
            return Err(ActError::not_yet("no task was run: no master leads"));
        };
        let hub = self.inventory.first_master();
        let at_hub = self.asker.session(hub);
        let answers = self.asker.in_time(hub, "log in", at_hub.ready()).await;
        let node = if answers.is_ok() { hub } else { leader };
        let name = format!("mesosflow-check-{}", self.nonce);
        // Whoever waits no longer ends it: that is no failure of the command.
        let longer = self.asker.left() + Duration::from_secs(5);
        let command = self.asker.command(node, task_script(leader, node, &name))?;
        let command = command.deadline(longer).silence(longer);
        let session = self.asker.session(node);
        let (taker, mut pieces) = mpsc::channel(16);
        let begun = Instant::now();
        let (mut told, mut subscribed_at) = (Told::default(), None);
        let status = {
            // Moved in, so that the output ends with the program; dropped, the program ends.
            let running = async move { session.stream(command, &taker).await };
            let mut running = std::pin::pin!(running);
            let mut ended: Option<Result<i32, RemoteError>> = None;
            let mut give_up = self.until();
            loop {
                tokio::select! {
                    piece = pieces.recv() => match piece {
                        Some(Piece::Out(bytes) | Piece::Err(bytes)) => told.take(&bytes),
                        None if ended.is_some() => break,
                        None => {}
                    },
                    status = &mut running, if ended.is_none() => {
                        ended = Some(status);
                        pieces.close();
                    }
                    () = sleep_until(give_up) => break,
                }
                if told.is_over() || told.wants_credential {
                    break;
                }
                if told.is_subscribed && told.agent.is_none() {
                    let since = *subscribed_at.get_or_insert_with(Instant::now);
                    give_up = self.until().min(since + OFFER_LIMIT);
                } else {
                    give_up = self.until();
                }
            }
            ended.transpose()?
        };
        told.take(b"\n");
        Ok(Executed {
            told,
            status,
            after: begun.elapsed(),
        })
    }

    /// Tells what became of the task.
    pub(super) fn tell_task(&self, executed: Result<Executed, ActError>, agents: &Agents) -> Option<Task> {
        let judged = executed.and_then(|Executed { told, status, after }| told.judge(status, after, agents));
        let task = judged.as_ref().ok().cloned();
        self.tell(What::Task, None, judged.map(|task| task.text()));
        task
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBSCRIBED: &str = "Subscribed with ID 2b1c-0001\n";
    const SUBMITTED: &str = "Submitted task 'mesosflow-check-1' to agent '2b1c-S0'\n";

    fn judged(said: &[&str], status: Option<i32>) -> Result<Task, String> {
        let mut told = Told::default();
        // However it is cut.
        for byte in said.concat().as_bytes() {
            told.take(&[*byte]);
        }
        let agents = Agents::from([("2b1c-S0".to_owned(), "demo-slave-1".to_owned())]);
        told.judge(status, Duration::from_secs(20), &agents)
            .map_err(|error| error.to_string())
    }

    fn update(state: &str, more: &str) -> String {
        format!(
            "Received status update TASK_{state} for task 'mesosflow-check-1'\n{more}  source: SOURCE_EXECUTOR\n"
        )
    }

    #[test]
    fn only_what_finished_has_run() {
        let (starting, running) = (update("STARTING", ""), update("RUNNING", ""));
        let finished = update("FINISHED", "  message: 'Command exited with status 0'\n");
        let ran = judged(&[SUBSCRIBED, SUBMITTED, &starting, &running, &finished], Some(0));
        assert_eq!(
            ran,
            Ok(Task::Ran {
                on: "demo-slave-1".into()
            })
        );
        // It ends with 0 all the same.
        let failed = update(
            "FAILED",
            "  message: 'Failed to launch container: no space left'\n",
        );
        let failed = judged(&[SUBSCRIBED, SUBMITTED, &failed], Some(0)).unwrap_err();
        assert!(
            failed.contains("demo-slave-1") && failed.contains("TASK_FAILED: Failed to launch"),
            "{failed}"
        );
        let hangs = judged(&[SUBSCRIBED, SUBMITTED, &running], None).unwrap_err();
        assert!(
            hangs.contains("TASK_RUNNING") && hangs.contains("did not finish"),
            "{hangs}"
        );
        let silent = judged(&[SUBSCRIBED, SUBMITTED], None).unwrap_err();
        assert!(silent.contains("nothing was heard"), "{silent}");
        let gone = judged(&["cannot open shared object file\n"], Some(127)).unwrap_err();
        assert!(gone.contains("127") && gone.contains("shared object"), "{gone}");
        assert!(judged(&[], Some(0)).is_err() && judged(&[SUBSCRIBED], Some(0)).is_err());
    }

    #[test]
    fn what_is_nobodys_fault_is_said_and_never_claimed_as_run() {
        let why = |said: &[&str], status| match judged(said, status) {
            Ok(Task::NotRun { why }) => why,
            other => panic!("{other:?}"),
        };
        assert!(why(&[SUBSCRIBED], None).contains("no free resources"));
        assert!(why(&[], Some(NO_EXECUTE)).contains("no mesos-execute"));
        assert!(why(&["E1126 Received '401 Unauthorized' () for SUBSCRIBE\n"], None).contains("credential"));
        // A master that takes nobody is no lack of resources.
        assert!(judged(&[], None).unwrap_err().contains("took no framework"));
    }

    #[test]
    fn an_end_is_one_once_its_reason_is_said() {
        let mut told = Told::default();
        for (line, is_over) in [
            ("Received status update TASK_RUNNING for task 'a'", false),
            ("  message: 'x'", false),
            ("Received status update TASK_FAILED for task 'a'", false),
            ("  message: 'x'", true),
            ("Received status update TASK_FINISHED for task 'a'", true),
        ] {
            told.line(line);
            assert_eq!(told.is_over(), is_over, "{line}");
        }
    }
}
