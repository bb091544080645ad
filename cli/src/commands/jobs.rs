//! `jobs`: what was submitted to a cluster, whoever did and from wherever.

use std::io::IsTerminal as _;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use mesosflow_workflow::Stop;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::app::App;
use crate::clusters::{ClusterArgs, Living};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::streams::{Listener, Printer};
use crate::render::table::table;
use crate::signals::stop_on_signals;
use crate::wiring::{JobId, JobStatus, Jobs, Node, Outside, Submitted};

/// The signal of who writes to a pipe that nobody reads.
const SIGPIPE: u8 = 13;
/// How many pieces of a job's output may wait.
const QUEUE: usize = 4;

/// Show the jobs that were submitted to a cluster, and what they print; end them
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct JobsArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    of: ClusterArgs,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// Show what a job prints, from its beginning, and end with its exit code
    Attach(OneArgs),
    /// End a job and all its processes
    Stop(OneArgs),
    /// Remove a job that is over, with its output and its files
    Forget(OneArgs),
}

#[derive(Debug, Clone, Args)]
struct OneArgs {
    /// The job's id, or the end of it
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    id: String,
    #[command(flatten)]
    of: ClusterArgs,
}

/// Whether a job was seen to have ended before it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Already,
    NotYet,
}

/// Does it.
pub(crate) async fn jobs(app: &App, args: &JobsArgs) -> Result<(), CliError> {
    let of = match &args.what {
        None => &args.of,
        Some(What::Attach(one) | What::Stop(one) | What::Forget(one)) => &one.of,
    };
    let journal = app.journal_with_runs()?;
    let living = Living::meant(app, &journal, of).await?;
    drop(journal);
    let (outside, node) = (living.outside()?, living.first());
    let jobs = Jobs::on(&outside, node);
    let all = jobs.list().await;
    let all = all.map_err(|error| unreachable_jobs(&living, &outside, node).because_of(&error))?;
    let Some(what) = &args.what else {
        return list(app, &all);
    };
    match what {
        What::Attach(one) => {
            let job = chosen(&all, &one.id)?;
            if job.entry.status == JobStatus::Absent {
                return Err(never_started(app, &job.entry.id));
            }
            let ended = match job.entry.status {
                JobStatus::Running { .. } => Ended::NotYet,
                _ => Ended::Already,
            };
            show(app, &jobs, &job.entry.id, ended).await
        }
        What::Stop(one) => {
            let job = chosen(&all, &one.id)?;
            let id = &job.entry.id;
            match job.entry.status {
                JobStatus::Running { .. } => stop(app, &jobs, id).await,
                // What it has begun may go on.
                status => {
                    ended(&jobs, id).await?;
                    app.ui.note(&format!("job {id} does not run: {}", state(status)));
                    Ok(())
                }
            }
        }
        What::Forget(one) => {
            let id = &chosen(&all, &one.id)?.entry.id;
            let forgotten = jobs.forget(id).await;
            forgotten.map_err(|error| {
                CliError::new(Exit::Failed, format!("job {id} is not removed"))
                    .because_of(&error)
                    .hint(format!(
                        "it and all that it has begun is ended by `{}`",
                        app.places.command(&["jobs", "stop", id.as_str()])
                    ))
            })?;
            app.ui.note(&format!("job {id} is removed"));
            Ok(())
        }
    }
}

fn unreachable_jobs(living: &Living, outside: &Outside, node: &Node) -> CliError {
    let error = CliError::new(Exit::Failed, format!("cannot ask {} for its jobs", node.name));
    match outside.locked_out(&living.spec) {
        Some(locked_out) => error.hint(locked_out.to_string()),
        None => error,
    }
}

/// The job of that id, or the only one whose id ends so: the beginnings of ids are their times, which are alike.
fn chosen<'a>(all: &'a [Submitted], wanted: &str) -> Result<&'a Submitted, CliError> {
    let matching: Vec<_> = all
        .iter()
        .filter(|job| job.entry.id.as_str().ends_with(wanted))
        .collect();
    let exact = matching.iter().find(|job| job.entry.id.as_str() == wanted);
    match (exact, &matching[..]) {
        (Some(job), _) | (None, [job]) => Ok(job),
        (None, []) => {
            Err(CliError::usage(format!("there is no job `{wanted}`")).hint("`mesosflow jobs` shows them"))
        }
        (None, several) => {
            let ids: Vec<_> = several.iter().map(|job| job.entry.id.as_str()).collect();
            Err(CliError::usage(format!(
                "`{wanted}` is the end of {} ids: {}",
                ids.len(),
                ids.join(", ")
            )))
        }
    }
}

fn never_started(app: &App, id: &JobId) -> CliError {
    CliError::new(
        Exit::Failed,
        format!("job {id} was never started: whoever submitted it was cut off while its files were sent"),
    )
    .hint(format!(
        "to remove them: {}",
        app.places.command(&["jobs", "forget", id.as_str()])
    ))
}

#[derive(Serialize)]
struct View<'a> {
    id: &'a str,
    /// `running`, `finished`, `lost` or `not_started`.
    state: &'static str,
    exit: Option<i32>,
    program: Option<&'a str>,
    file: Option<&'a str>,
    args: &'a [String],
    by: Option<&'a str>,
    began_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    output_bytes: u64,
}

impl<'a> View<'a> {
    fn of(job: &'a Submitted) -> Self {
        let (entry, about) = (&job.entry, job.about.as_ref());
        let time = |seconds: Option<i64>| seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
        Self {
            id: entry.id.as_str(),
            state: word(entry.status),
            exit: exit(entry.status),
            program: about.map(|about| about.program.as_str()),
            file: about.map(|about| about.file.as_str()),
            args: about.map_or(&[], |about| &about.args),
            by: about.map(|about| about.by.as_str()),
            began_at: time(entry.began),
            ended_at: time(entry.ended),
            output_bytes: entry.output,
        }
    }
}

const fn word(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Absent => "not_started",
        JobStatus::Running { .. } => "running",
        JobStatus::Finished { .. } => "finished",
        JobStatus::Lost => "lost",
    }
}

const fn exit(status: JobStatus) -> Option<i32> {
    match status {
        JobStatus::Finished { exit } => Some(exit),
        _ => None,
    }
}

fn state(status: JobStatus) -> String {
    match status {
        JobStatus::Absent => "never started".into(),
        JobStatus::Running { .. } => "running".into(),
        JobStatus::Finished { exit } => format!("ended with exit status {exit}"),
        JobStatus::Lost => {
            "lost: its machine went down, or something ended it, before it could say how it ended".into()
        }
    }
}

/// The newest comes last.
fn list(app: &App, all: &[Submitted]) -> Result<(), CliError> {
    let views: Vec<_> = all.iter().map(View::of).collect();
    if app.ui.json {
        return app.ui.document(&views);
    }
    if views.is_empty() {
        app.ui.note("no job was submitted to this cluster");
        return Ok(());
    }
    let row = |view: &View<'_>| {
        let state = match view.exit {
            Some(0) => "done".into(),
            Some(status) => format!("exit {status}"),
            None => view.state.replace('_', " "),
        };
        let began = view
            .began_at
            .map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
        vec![
            view.id.to_owned(),
            state,
            began.unwrap_or_default(),
            view.by.unwrap_or_default().to_owned(),
            view.file.unwrap_or_default().to_owned(),
        ]
    };
    app.ui.line(&table(
        &["job", "state", "began", "by", "file"],
        views.iter().map(row),
    ))
}

#[derive(Serialize)]
struct Begun<'a> {
    job: &'a str,
    node: &'a str,
}

/// Says that a job goes on by itself.
pub(super) fn begun(app: &App, id: &JobId, node: &Node) -> Result<(), CliError> {
    if app.ui.json {
        return app.ui.object(&Begun {
            job: id.as_str(),
            node: &node.name,
        });
    }
    app.ui.note(&goes_on(app, id));
    app.ui.line(id.as_str())
}

fn goes_on(app: &App, id: &JobId) -> String {
    format!(
        "the job goes on: `{}` shows it",
        app.places.command(&["jobs", "attach", id.as_str()])
    )
}

#[derive(Serialize)]
struct Shown<'a> {
    job: &'a str,
    state: &'static str,
    exit: Option<i32>,
    stdout: String,
    stderr: String,
    /// Whether the end of either is left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

/// Prints what a job prints until it has ended, and ends with its status.
pub(super) async fn show(app: &App, jobs: &Jobs, id: &JobId, ended: Ended) -> Result<(), CliError> {
    let stop = Stop::default();
    let ui = app.ui;
    if ended == Ended::NotYet {
        stop_on_signals(stop.clone(), move |_| ui.note(""))?;
    }
    let printer = Printer::start()?;
    let listener = Listener::of(ui.json, &printer, "");
    let (taker, pieces) = mpsc::channel(QUEUE);
    let following = async {
        let taker = taker;
        tokio::select! {
            followed = jobs.follow(id, &taker) => Some(followed),
            () = stop.requested() => None,
        }
    };
    // Where nobody reads it any more, the job goes on all the same.
    let (followed, kept) = tokio::join!(following, listener.listen(pieces, &stop));
    let printed = printer.finish();
    // Who prints has it stopped where nobody reads.
    if followed.is_none() && printed.is_ok() {
        return left(app, jobs, id).await;
    }
    let followed = match followed {
        Some(followed) => followed,
        None => jobs.status(id).await,
    };
    let status = followed.map_err(|error| {
        CliError::new(Exit::Failed, format!("job {id} cannot be followed any more"))
            .because_of(&error)
            .hint(goes_on(app, id))
    })?;
    match printed {
        // As a shell has it for who writes to nobody.
        Err(unread) if matches!(status, JobStatus::Running { .. }) => {
            return Err(CliError::new(
                Exit::Job(128 + SIGPIPE),
                format!("left job {id}: its output is not read any more"),
            )
            .because(unread.message)
            .hint(goes_on(app, id)));
        }
        Err(unread) if !unread.is_silent() => return Err(unread),
        _ => {}
    }
    if app.ui.json {
        app.ui.object(&Shown {
            job: id.as_str(),
            state: word(status),
            exit: exit(status),
            stdout: kept.out(),
            stderr: kept.err(),
            truncated: kept.truncated(),
        })?;
    }
    match status {
        JobStatus::Finished { exit: 0 } => Ok(()),
        _ => Err(CliError::new(
            job_exit(status),
            format!("job {id}: {}", state(status)),
        )),
    }
}

/// The job's own status, as a shell would have it.
fn job_exit(status: JobStatus) -> Exit {
    let code = exit(status).and_then(|exit| u8::try_from(exit).ok());
    code.map_or(Exit::Failed, Exit::Job)
}

/// Ctrl-C: whether the job is to end is asked where somebody can answer.
async fn left(app: &App, jobs: &Jobs, id: &JobId) -> Result<(), CliError> {
    let interrupted = |message: String| CliError::new(Exit::Interrupted, message);
    let ui = app.ui;
    let question = format!("End job {id} on the cluster? [y/N]");
    let can_ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if can_ask {
        app.ui.note(&goes_on(app, id));
    }
    let answer = match can_ask {
        true => tokio::task::spawn_blocking(move || ui.ask_name(&question))
            .await
            .ok()
            .flatten(),
        false => None,
    };
    match answer.map(|answer| answer.to_ascii_lowercase()).as_deref() {
        Some("y" | "yes") => {
            stop(app, jobs, id).await?;
            Err(interrupted(format!("job {id} was ended")))
        }
        // Who was asked has been told.
        _ if can_ask => Err(interrupted(format!("left job {id}"))),
        _ => Err(interrupted(format!("left job {id}")).hint(goes_on(app, id))),
    }
}

async fn stop(app: &App, jobs: &Jobs, id: &JobId) -> Result<(), CliError> {
    let status = ended(jobs, id).await?;
    app.ui.note(&format!("job {id}: {}", state(status)));
    Ok(())
}

/// Ends what there is of a job; then how it is.
async fn ended(jobs: &Jobs, id: &JobId) -> Result<JobStatus, CliError> {
    let stopped = jobs.stop(id).await;
    stopped.map_err(|error| CliError::new(Exit::Failed, format!("job {id} may still run")).because_of(&error))
}
