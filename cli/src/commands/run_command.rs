//! `run-command`: a command on the nodes of a cluster, on all at once or on a few at a time.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use mesosflow_workflow::{ErrorReport, Stop};
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::app::App;
use crate::clusters::{ClusterArgs, Living, NodesArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::duration;
use crate::render::streams::{Listener, Printer};
use crate::signals::stop_on_signals;
use crate::wiring::{Node, Outside, RemoteCommand, join_words};

/// How many pieces of a node's output may wait.
const QUEUE: usize = 4;

/// Run a command on nodes of a cluster, on all at once
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct RunCommandArgs {
    #[command(flatten)]
    of: ClusterArgs,
    #[command(flatten)]
    on: NodesArgs,
    /// On so many nodes at a time; by default on all at once
    #[arg(long, value_name = "N")]
    serial: Option<NonZeroU32>,
    /// End the command on a node after so many seconds; by default it may take as long as it likes
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<NonZeroU32>,
    /// Even while a run of the cluster is driven
    #[arg(long)]
    anyway: bool,
    /// One word is a line for the nodes' shell, several are one command with its arguments, each as it stands
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

const HELP: &str = "\
The command runs as root, by `sh`, without input and without a terminal. What it prints stays on its own stream, each line \
with `NODE: ` in front; a line of more than 64 KiB is broken. With exactly one --node and no --role, bytes go through as \
they are. A summary comes on standard error.

Exit codes: 0 it ended with 0 everywhere; 1 it failed somewhere, or a node was not reached (the others go on); 3 a run of the \
cluster is driven; 130 interrupted, which ends it on the nodes.

  mesosflow run-command -- uptime
  mesosflow run-command --role slave --serial 1 -- 'systemctl restart mesos-slave && sleep 5'
  mesosflow run-command --node master-1 -- cat /etc/os-release > os-release";

/// What came of it on a node.
#[derive(Debug, Serialize)]
struct Done {
    node: String,
    /// The exit status; 128 and the signal's number where one ended it. None where it did not come to its end.
    exit: Option<i32>,
    stdout: String,
    stderr: String,
    /// Whether the end of either is left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip)]
    hint: Option<String>,
}

/// Runs it everywhere, and tells.
pub(crate) async fn run_command(app: &App, args: &RunCommandArgs) -> Result<(), CliError> {
    let script = script(&args.command)?;
    let journal = app.journal_with_runs()?;
    let living = Living::meant(app, &journal, &args.of).await?;
    living.refuse_driven(&journal, args.anyway).await?;
    drop(journal);
    let nodes = living.chosen(&args.on)?;
    let outside = Arc::new(living.outside()?);
    let stop = Stop::default();
    let ui = app.ui;
    stop_on_signals(stop.clone(), move |text| ui.note(text))?;
    let is_alone = args.on.role.is_empty() && args.on.node.len() == 1;
    let printer = Printer::start()?;

    let turns = args.serial.map_or(nodes.len(), |serial| serial.get() as usize);
    let turns = Arc::new(Semaphore::new(turns.min(Semaphore::MAX_PERMITS)));
    let mut works = JoinSet::new();
    for (place, node) in nodes.iter().cloned().enumerate() {
        let prefix = match is_alone {
            true => String::new(),
            false => format!("{}: ", node.name),
        };
        let work = Work {
            outside: Arc::clone(&outside),
            command: limited(&script, args.timeout),
            turns: Arc::clone(&turns),
            stop: stop.clone(),
            listener: Listener::of(ui.json, &printer, &prefix),
            node,
        };
        works.spawn(async move { (place, work.done().await) });
    }
    let mut all = Vec::new();
    while let Some(done) = works.join_next().await {
        let Ok((place, done)) = done else { continue };
        if ui.json {
            ui.object(&done)?;
        }
        all.push((place, done));
    }
    printer.finish()?;
    all.sort_by_key(|(place, _)| *place);
    let all: Vec<_> = all.into_iter().map(|(_, done)| done).collect();
    if !ui.json {
        summary(&all).iter().for_each(|line| ui.note(line));
    }
    judge(&living, &outside, &all, &stop)
}

/// One word is a line for the shell; of several, each is a word for the shell.
fn script(command: &[String]) -> Result<String, CliError> {
    let script = match command {
        [line] if line.contains('\0') => None,
        [line] => Some(line.clone()),
        words => join_words(words.iter().map(String::as_str)),
    };
    let script = script.ok_or_else(|| CliError::usage("the command holds a NUL byte"))?;
    match script.trim().is_empty() {
        true => Err(CliError::usage("the command is empty")),
        false => Ok(script),
    }
}

fn limited(script: &str, timeout: Option<NonZeroU32>) -> RemoteCommand {
    let limit = timeout.map_or(Duration::MAX, |seconds| Duration::from_secs(seconds.get().into()));
    RemoteCommand::new("the command", script)
        .deadline(limit)
        .silence(Duration::MAX)
}

/// The command on one node.
struct Work {
    outside: Arc<Outside>,
    node: Node,
    command: RemoteCommand,
    turns: Arc<Semaphore>,
    stop: Stop,
    listener: Listener,
}

impl Work {
    async fn done(self) -> Done {
        let Self {
            outside,
            node,
            command,
            turns,
            stop,
            listener,
        } = self;
        let begun = tokio::select! {
            biased;
            () = stop.requested() => None,
            turn = turns.acquire() => turn.ok(),
        };
        let started = Instant::now();
        let (taker, pieces) = mpsc::channel(QUEUE);
        let session = outside.session(&node);
        let has_begun = begun.is_some();
        let running = async {
            if !has_begun {
                return None;
            }
            // Moved in, so that the output ends with the command, however that ends.
            let taker = taker;
            tokio::select! {
                ended = session.stream(command, &taker) => Some(ended),
                () = stop.requested() => None,
            }
        };
        let (ended, kept) = tokio::join!(running, listener.listen(pieces, &stop));
        let took = started.elapsed();
        drop(begun);
        let (exit, error, hint) = match ended {
            Some(Ok(status)) => (Some(status), None, None),
            Some(Err(error)) => {
                let ErrorReport {
                    message,
                    causes,
                    hint,
                    ..
                } = ErrorReport::of(&error);
                let all: Vec<_> = std::iter::once(message).chain(causes).collect();
                (None, Some(all.join(": ")), hint)
            }
            None if has_begun => (None, Some("interrupted".to_owned()), None),
            None => (None, Some("not begun: interrupted".to_owned()), None),
        };
        Done {
            node: node.name.clone(),
            exit,
            stdout: kept.out(),
            stderr: kept.err(),
            truncated: kept.truncated(),
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            error,
            hint,
        }
    }
}

/// A line for each node.
fn summary(all: &[Done]) -> Vec<String> {
    let wide = all.iter().map(|done| done.node.len()).max().unwrap_or(0);
    let line = |done: &Done| {
        let took = duration::text(Duration::from_millis(done.duration_ms));
        let ended = match (done.exit, &done.error) {
            (Some(status), _) => format!("exit {status:<3}  {took}"),
            (None, Some(error)) => crate::text::clean(error).into_owned(),
            (None, None) => String::new(),
        };
        format!("{:<wide$}  {ended}", done.node).trim_end().to_owned()
    };
    all.iter().map(line).collect()
}

fn judge(living: &Living, outside: &Outside, all: &[Done], stop: &Stop) -> Result<(), CliError> {
    let failed: Vec<_> = all.iter().filter(|done| done.exit != Some(0)).collect();
    if stop.is_requested() {
        return Err(CliError::new(
            Exit::Interrupted,
            format!(
                "interrupted: the command came to its end on {} of {} nodes",
                all.iter().filter(|done| done.exit.is_some()).count(),
                all.len()
            ),
        ));
    }
    if failed.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = failed.iter().map(|done| done.node.as_str()).collect();
    let mut error = CliError::new(
        Exit::Failed,
        format!(
            "the command failed on {} of {} nodes: {}",
            failed.len(),
            all.len(),
            names.join(", ")
        ),
    );
    for hint in failed.iter().filter_map(|done| done.hint.clone()) {
        if !error.hints.contains(&hint) {
            error.hints.push(hint);
        }
    }
    if let Some(locked_out) = outside.locked_out(&living.spec) {
        error.hints.insert(0, locked_out.to_string());
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn one_word_is_a_line_and_several_are_words() {
        assert_eq!(script(&words(&["echo $HOME; true"])).unwrap(), "echo $HOME; true");
        assert_eq!(
            script(&words(&["echo", "$HOME", "a b", "it's", ""])).unwrap(),
            r#"echo '$HOME' 'a b' "it's" ''"#
        );
        for wrong in [&[""][..], &["  "], &["echo\0"], &["echo", "\0"]] {
            assert_eq!(script(&words(wrong)).unwrap_err().exit.code(), 2, "{wrong:?}");
        }
    }

    #[test]
    fn the_summary_says_how_it_ended_on_each() {
        let done = |node: &str, exit, error: Option<&str>| Done {
            node: node.into(),
            exit,
            stdout: String::new(),
            stderr: String::new(),
            truncated: false,
            duration_ms: 312,
            error: error.map(str::to_owned),
            hint: None,
        };
        let all = [
            done("demo-master-1", Some(0), None),
            done("demo-slave-1", Some(137), None),
            done("demo-slave-2", None, Some("cannot connect")),
        ];
        insta::assert_snapshot!(summary(&all).join("\n"));
    }
}
