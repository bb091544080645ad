//! Jobs that nobody waits for: which there are, and the output of one as it comes.

use std::time::Duration;

use mesosflow_workflow::{ErrorClass, StepError as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::RemoteError;
use super::job::{JobId, JobStatus, parse_state};
use super::job_scripts::{LIST, READ, STATE};
use super::output::{Output, Piece};
use super::session::Session;

/// How long a list may be: some ten thousand jobs.
const LONGEST_LIST: usize = 64 << 20;
/// How much of each stream comes at a time.
const PIECE: usize = 256 * 1024;
/// The first pause between two looks at an output that does not grow, and the longest: somebody watches it.
const POLL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// A job as its node knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEntry {
    /// Its id.
    pub id: JobId,
    /// How it is.
    pub status: JobStatus,
    /// How many bytes of output there are.
    pub output: u64,
    /// When it began, seconds since 1970 by the node's clock.
    pub began: Option<i64>,
    /// When it was over.
    pub ended: Option<i64>,
    /// The first line of its script.
    pub first_line: String,
}

impl Session {
    /// The jobs on the node whose ids begin so, in their order.
    ///
    /// # Errors
    /// The node cannot be reached, or says what is no list of jobs.
    pub async fn job_list(&self, beginning: &JobId) -> Result<Vec<JobEntry>, RemoteError> {
        let variables = [("beginning", beginning.as_str())];
        let title = format!("list jobs {beginning}…");
        let command = self.job_command(title.clone(), beginning, &variables, &format!("{STATE}{LIST}"))?;
        let answer = self.run(command.max_output(LONGEST_LIST)).await?.stdout_str();
        let entries: Option<Vec<_>> = answer.lines().map(parse_entry).collect();
        entries.ok_or_else(|| self.bad_answer(title, answer))
    }

    /// Hands on what the job prints, from the first byte, until it is over and all of it has come, or nobody takes it any more; then what
    /// is known of it. Lost connections are got over for as long as `patience` after the last answer: the job does not depend on them.
    ///
    /// # Errors
    /// The node does not answer for longer than that, or says what is no answer.
    pub async fn job_follow(
        &self,
        id: &JobId,
        patience: Duration,
        taker: &mpsc::Sender<Piece>,
    ) -> Result<JobStatus, RemoteError> {
        let (mut out, mut err) = (0, 0);
        let (mut pause, longest) = POLL;
        let mut answered = Instant::now();
        loop {
            match self.job_read(id, out, err).await {
                Ok((status, size, read)) => {
                    answered = Instant::now();
                    let came = read.stdout.len() + read.stderr.len();
                    out += read.stdout.len() as u64;
                    err += read.stderr.len() as u64;
                    for piece in [Piece::Out(read.stdout), Piece::Err(read.stderr)] {
                        let (Piece::Out(bytes) | Piece::Err(bytes)) = &piece;
                        if !bytes.is_empty() && taker.send(piece).await.is_err() {
                            return Ok(status);
                        }
                    }
                    let is_over = !matches!(status, JobStatus::Running { .. });
                    if is_over && (came == 0 || out + err >= size) {
                        return Ok(status);
                    }
                    if came > 0 {
                        pause = POLL.0;
                    }
                    if came >= PIECE {
                        continue;
                    }
                }
                Err(error)
                    if matches!(error.class(), ErrorClass::Transient | ErrorClass::Ambiguous)
                        && answered.elapsed() < patience => {}
                Err(error) => return Err(error),
            }
            sleep(pause).await;
            pause = (pause * 3 / 2).min(longest);
        }
    }

    /// The state, how much output there is, and what is behind so many bytes of each stream.
    async fn job_read(
        &self,
        id: &JobId,
        out: u64,
        err: u64,
    ) -> Result<(JobStatus, u64, Output), RemoteError> {
        let (out, err, count) = (out.to_string(), err.to_string(), PIECE.to_string());
        let variables = [("out", &*out), ("err", &*err), ("count", &*count)];
        let title = format!("read job {id}");
        let command = self.job_command(title.clone(), id, &variables, &format!("{STATE}{READ}"))?;
        // In front of the output there is the state.
        let mut output = self.run(command.max_output(2 * PIECE)).await?;
        let end = output
            .stdout
            .iter()
            .position(|byte| *byte == b'\n')
            .map(|end| end + 1);
        let behind = output.stdout.split_off(end.unwrap_or(output.stdout.len()));
        let said = String::from_utf8_lossy(&std::mem::replace(&mut output.stdout, behind)).into_owned();
        match parse_state(&said) {
            Some((status, size)) => Ok((status, size, output)),
            None => Err(self.bad_answer(title, said)),
        }
    }
}

/// Reads `id state detail size began ended first line`.
fn parse_entry(line: &str) -> Option<JobEntry> {
    let mut words = line.splitn(7, ' ');
    let id = words.next()?.parse().ok()?;
    let state: Vec<_> = words.by_ref().take(3).collect();
    let (status, output) = parse_state(&state.join(" "))?;
    let mut time = || -> Option<Option<i64>> {
        let seconds = words.next()?.parse().ok()?;
        Some((seconds != 0).then_some(seconds))
    };
    let (began, ended) = (time()?, time()?);
    Some(JobEntry {
        id,
        status,
        output,
        began,
        ended,
        first_line: words.next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read() {
        let entry =
            parse_entry("job-01 finished 0 12 1764255000 1764255060 # {\"file\":\"a b.py\"}").unwrap();
        assert_eq!(entry.id.as_str(), "job-01");
        assert_eq!(entry.status, JobStatus::Finished { exit: 0 });
        assert_eq!(
            (entry.output, entry.began, entry.ended),
            (12, Some(1764255000), Some(1764255060))
        );
        assert_eq!(entry.first_line, "# {\"file\":\"a b.py\"}");
        let starting = parse_entry("job-02 running 0 0 0 0 ").unwrap();
        assert_eq!((starting.began, starting.first_line.as_str()), (None, ""));
        for wrong in ["", "job-01", "-x finished 0 12 1 2 #", "job-01 finished 0 12 1"] {
            assert_eq!(parse_entry(wrong), None, "{wrong}");
        }
    }
}
