//! Remote jobs that outlive the controller: started once, found again by their id.
//!
//! A job is a folder on the node, `/var/lib/mesosflow/jobs/<id>/`:
//!
//! | file | says |
//! |---|---|
//! | `lock` | held with `flock` by the job and everything it starts, from before the start to the last process' end |
//! | `script` | what it runs |
//! | `pid` | its process id, that process' start time and the machine's boot id; written before the script begins |
//! | `out`, `err` | its output |
//! | `exit` | its exit status; written when it is over |
//!
//! The lock is the proof of running: the kernel gives it up with the last process that has it, however that ends, and no
//! process id that was used again can be taken for it. What the files mean together:
//!
//! | `exit` | lock | `pid` | state |
//! |---|---|---|---|
//! | there | | | finished |
//! | – | held | | running |
//! | – | free | there | lost: begun, and nothing tells how far it came |
//! | – | free | – | absent: nothing of the script was ever run |
//!
//! An `exit` without a number in it counts as none; it and a `pid` of whatever content say that the job was begun.
//!
//! The start holds the lock from its first look at these files until the job's own process has inherited it, so two
//! controllers cannot both start. Killed at any point, it leaves one of these states: before the process is made, absent;
//! afterwards, running. The process writes `pid` to the disk before it begins and `exit` before it gives up the lock.
//!
//! A result is taken once: [`Session::run_job`] fetches the output and removes the job's folder in one command, so that the
//! same id begins anew if what the job had made turns out to be gone. A controller that dies meanwhile finds the result
//! again, or nothing.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use mesosflow_workflow::{ErrorClass, StepError};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::RemoteError;
use super::command::Command;
use super::job_scripts::{FORGET, MARKED, OUTPUT, START, STATE, STOP, SUPERVISOR};
use super::output::Output;
use super::quote::with_variables;
use super::session::Session;
use super::tail::last_lines;

/// How much of each output stream comes back with a job's end.
const OUTPUT_TAIL: usize = 64 * 1024;
/// The first pause between two looks at a job, and the longest.
const POLL: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// How often a job is started that turns out not to have been.
const STARTS: usize = 3;
/// How long a job that is told to stop may take before it is killed.
const STOP_GRACE_SECONDS: &str = "10";

/// The name under which a job is found again: letters, digits, `.`, `_` and `-`, not beginning with a dot or dash.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(String);

/// A text that is no job id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a job id: 1 to 128 letters, digits, dots, dashes and underscores, a letter or digit first"
)]
pub struct JobIdError(String);

impl JobId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for JobId {
    type Err = JobIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        if first && text.len() <= 128 && text.chars().all(safe) {
            Ok(Self(text.to_owned()))
        } else {
            Err(JobIdError(text.to_owned()))
        }
    }
}

impl TryFrom<String> for JobId {
    type Error = JobIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Long work on a node.
#[derive(Clone)]
pub struct Job {
    /// Its name. The id alone says whether it is the same job: a job that exists is not started with another script.
    pub id: JobId,
    /// What it does, for logs and errors.
    pub title: String,
    /// A POSIX shell script, run by root in `/` without input. It is kept on the node, so no secret belongs in it.
    pub script: String,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("id", &self.id)
            .field("title", &self.title)
            .finish_non_exhaustive()
    }
}

/// How long a job is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobLimits {
    /// Altogether.
    pub deadline: Duration,
    /// Without new output.
    pub silence: Duration,
}

/// What the node knows of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStatus {
    /// It was never begun.
    Absent,
    /// It runs.
    Running {
        /// Its first process; 0 in the moment before that has written its id.
        pid: u32,
    },
    /// It ran to its end.
    Finished {
        /// Its exit status; 128 + n if it was ended by signal n.
        exit: i32,
    },
    /// It was begun, is gone, and did not say how it ended.
    Lost,
}

/// How a job whose outcome was never recorded was brought to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobSettled {
    /// There was none that ran.
    Nothing,
    /// It was waited for, and has ended, however it did.
    Awaited,
    /// It was ended, and nothing of it is left.
    Ended,
}

/// A finished job: its exit status and the end of its output.
pub type JobOutput = Output;

impl Session {
    /// Starts the job if it was never begun, and says what is known of it. Doing it again does nothing.
    pub async fn job_start(&self, job: &Job) -> Result<JobStatus, RemoteError> {
        let title = format!("start job `{}`", job.title);
        let variables = [("supervisor", SUPERVISOR)];
        let command = self
            .job_command(title, &job.id, &variables, &format!("{STATE}{START}"))?
            .stdin(job.script.as_bytes());
        Ok(self.look(command).await?.0)
    }

    /// What the node knows of the job.
    pub async fn job_status(&self, id: &JobId) -> Result<JobStatus, RemoteError> {
        Ok(self.job_look(id).await?.0)
    }

    /// The status and how much output there is so far.
    async fn job_look(&self, id: &JobId) -> Result<(JobStatus, u64), RemoteError> {
        let command = self.job_command(format!("look at job {id}"), id, &[], &format!("{STATE}tell\n"))?;
        self.look(command).await
    }

    /// The end of the job's standard output and standard error, at most `bytes` of each.
    pub async fn job_output(&self, id: &JobId, bytes: usize) -> Result<(Vec<u8>, Vec<u8>), RemoteError> {
        let count = bytes.to_string();
        let command = self.job_command(format!("output of job {id}"), id, &[("count", &count)], OUTPUT)?;
        let output = self.run(command.max_output(bytes)).await?;
        Ok((output.stdout, output.stderr))
    }

    /// Waits for the job's end, through lost connections. If a limit passes, the job goes on.
    pub async fn job_wait(&self, job: &Job, limits: JobLimits) -> Result<JobOutput, RemoteError> {
        self.job_await(job, limits, false).await
    }

    /// The same; `take` also removes what the node knows of the job once it has ended.
    async fn job_await(&self, job: &Job, limits: JobLimits, take: bool) -> Result<JobOutput, RemoteError> {
        let started = Instant::now();
        let (mut pause, longest) = POLL;
        let (mut size, mut grew) = (None, started);
        let mut ended = None;
        loop {
            let looked = match self.job_look(&job.id).await {
                Ok((JobStatus::Finished { exit }, _)) => {
                    ended = Some(exit);
                    self.job_result(&job.id, exit, take).await.map(Some)
                }
                Ok((JobStatus::Absent, _)) => match ended {
                    // It was taken, and the answer was lost on its way.
                    Some(exit) => Ok(Some(result(exit, Default::default()))),
                    None => return Err(self.unfinished(job, "was never started".to_owned()).await),
                },
                Ok((JobStatus::Lost, _)) => return Err(self.lost(job).await),
                Ok((JobStatus::Running { .. }, now)) => {
                    if size.replace(now) != Some(now) {
                        grew = Instant::now();
                    }
                    Ok(None)
                }
                Err(error) => Err(error),
            };
            match looked {
                Ok(Some(output)) => return Ok(output),
                Ok(None) => {}
                // The job does not depend on the connection. Looking again is always safe.
                Err(error) if matches!(error.class(), ErrorClass::Transient | ErrorClass::Ambiguous) => {
                    if started.elapsed() >= limits.deadline {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
            if started.elapsed() >= limits.deadline {
                let reason = format!("was not done after {}s", limits.deadline.as_secs_f32());
                return Err(self.unfinished(job, reason).await);
            }
            if grew.elapsed() >= limits.silence {
                let reason = format!("gave no output for {}s", limits.silence.as_secs_f32());
                return Err(self.unfinished(job, reason).await);
            }
            sleep(pause.min(limits.deadline.saturating_sub(started.elapsed()))).await;
            pause = (pause * 3 / 2).min(longest);
        }
    }

    /// What a finished job has left; `take` removes it from the node in the same command.
    async fn job_result(&self, id: &JobId, exit: i32, take: bool) -> Result<JobOutput, RemoteError> {
        if !take {
            return Ok(result(exit, self.job_output(id, OUTPUT_TAIL).await?));
        }
        let count = OUTPUT_TAIL.to_string();
        let script = format!("{STATE}{MARKED}{OUTPUT}{FORGET}");
        let command = self.job_command(format!("result of job {id}"), id, &[("count", &count)], &script)?;
        let output = self.run(command.max_output(OUTPUT_TAIL)).await?;
        Ok(result(exit, (output.stdout, output.stderr)))
    }

    /// Finds the job or starts it, waits for its end and takes its result: whatever that is, the node knows nothing of the
    /// job afterwards. An exit status other than 0 is an error.
    pub async fn run_job(&self, job: &Job, limits: JobLimits) -> Result<JobOutput, RemoteError> {
        let mut starts = 0;
        loop {
            starts += 1;
            if self.job_start(job).await? == JobStatus::Lost {
                return Err(self.lost(job).await);
            }
            match self.job_await(job, limits, true).await {
                // What held its lock was a start that was cut off: nothing of it was ever run.
                Err(RemoteError::JobUnfinished { .. })
                    if starts < STARTS && self.job_status(&job.id).await? == JobStatus::Absent => {}
                ended => return self.successful(&job.title, ended?),
            }
        }
    }

    /// Brings a job of which the outcome was never recorded to an end, and forgets it. One that runs is waited for within
    /// `limits` if its result can `serve`; otherwise, and past them, it is ended and seen gone.
    pub async fn job_settle(
        &self,
        id: &JobId,
        serve: bool,
        limits: JobLimits,
    ) -> Result<JobSettled, RemoteError> {
        let settled = match self.job_status(id).await? {
            JobStatus::Absent => return Ok(JobSettled::Nothing),
            JobStatus::Finished { .. } | JobStatus::Lost => JobSettled::Nothing,
            JobStatus::Running { .. } if serve => {
                let job = Job {
                    id: id.clone(),
                    title: id.to_string(),
                    script: String::new(),
                };
                match self.job_await(&job, limits, true).await {
                    Ok(_) | Err(RemoteError::JobLost { .. }) => JobSettled::Awaited,
                    Err(RemoteError::JobUnfinished { .. }) => JobSettled::Ended,
                    Err(error) => return Err(error),
                }
            }
            JobStatus::Running { .. } => JobSettled::Ended,
        };
        if settled == JobSettled::Ended {
            self.job_stop(id).await?;
        }
        self.job_forget(id).await?;
        Ok(settled)
    }

    /// Ends a running job and all that belongs to it: asked first, killed if it does not listen. Once nothing of it is left,
    /// it counts as finished with status 143.
    pub async fn job_stop(&self, id: &JobId) -> Result<JobStatus, RemoteError> {
        let variables = [("grace", STOP_GRACE_SECONDS)];
        let command = self.job_command(
            format!("stop job {id}"),
            id,
            &variables,
            &format!("{STATE}{MARKED}{STOP}"),
        )?;
        Ok(self.look(command).await?.0)
    }

    /// Removes every trace of a job that does not run, so that its id may be used again.
    pub async fn job_forget(&self, id: &JobId) -> Result<(), RemoteError> {
        let command = self.job_command(
            format!("forget job {id}"),
            id,
            &[],
            &format!("{STATE}{MARKED}{FORGET}"),
        )?;
        self.run(command).await.map(drop)
    }

    pub(super) fn job_command(
        &self,
        title: String,
        id: &JobId,
        variables: &[(&str, &str)],
        body: &str,
    ) -> Result<Command, RemoteError> {
        let base = self.jobs_dir();
        let dir = format!("{base}/{id}");
        let mut all = vec![("base", base), ("dir", dir.as_str())];
        all.extend_from_slice(variables);
        match with_variables(&all, body) {
            Ok(script) => Ok(Command::new(title, script)),
            Err(error) => Err(RemoteError::unquotable(self.node(), &title, error)),
        }
    }

    async fn look(&self, command: Command) -> Result<(JobStatus, u64), RemoteError> {
        let title = command.title.clone();
        let answer = self.run(command).await?.stdout_str();
        parse_state(&answer).ok_or_else(|| self.bad_answer(title, answer))
    }

    pub(super) fn bad_answer(&self, title: String, answer: String) -> RemoteError {
        RemoteError::BadAnswer {
            node: self.node().to_owned(),
            title,
            answer: last_lines(answer.as_bytes()),
        }
    }

    async fn job_stderr(&self, id: &JobId) -> String {
        match self.job_output(id, OUTPUT_TAIL).await {
            Ok((_, stderr)) => last_lines(&stderr),
            // The error that is being told matters more than its decoration.
            Err(_) => String::new(),
        }
    }

    async fn lost(&self, job: &Job) -> RemoteError {
        RemoteError::JobLost {
            node: self.node().to_owned(),
            job: job.id.to_string(),
            title: job.title.clone(),
            stderr_tail: self.job_stderr(&job.id).await,
        }
    }

    async fn unfinished(&self, job: &Job, reason: String) -> RemoteError {
        RemoteError::JobUnfinished {
            node: self.node().to_owned(),
            job: job.id.to_string(),
            title: job.title.clone(),
            reason,
            stderr_tail: self.job_stderr(&job.id).await,
        }
    }
}

fn result(status: i32, (stdout, stderr): (Vec<u8>, Vec<u8>)) -> JobOutput {
    let truncated = stdout.len() >= OUTPUT_TAIL || stderr.len() >= OUTPUT_TAIL;
    Output {
        status,
        stdout,
        stderr,
        truncated,
    }
}

/// Reads `state detail size`.
pub(super) fn parse_state(answer: &str) -> Option<(JobStatus, u64)> {
    let mut words = answer.split_ascii_whitespace();
    let (state, detail, size) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
    let status = match state {
        "absent" => JobStatus::Absent,
        "running" => JobStatus::Running {
            pid: detail.parse().ok()?,
        },
        "finished" => JobStatus::Finished {
            exit: detail.parse().ok()?,
        },
        "lost" => JobStatus::Lost,
        _ => return None,
    };
    Some((status, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_safe_file_name() {
        for good in ["a", "01jd3k.g2.build-mesos", "A_b-c.9", &"x".repeat(128)] {
            assert_eq!(good.parse::<JobId>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            ".",
            "..",
            ".hidden",
            "-rf",
            "a/b",
            "a b",
            "a\nb",
            "é",
            "$(id)",
            &"x".repeat(129),
        ] {
            assert!(bad.parse::<JobId>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn what_the_node_says_is_read() {
        assert_eq!(parse_state("absent 0 0"), Some((JobStatus::Absent, 0)));
        assert_eq!(
            parse_state("running 4711 12"),
            Some((JobStatus::Running { pid: 4711 }, 12))
        );
        assert_eq!(
            parse_state("finished 143 0"),
            Some((JobStatus::Finished { exit: 143 }, 0))
        );
        assert_eq!(parse_state("lost 0 9"), Some((JobStatus::Lost, 9)));
        assert_eq!(parse_state("finished"), None);
        assert_eq!(parse_state(""), None);
    }
}
