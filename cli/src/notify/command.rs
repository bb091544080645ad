//! A command of the user's, run through `sh -c` in a process group of its own.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use super::notice::Notice;
use crate::text::{clean, cut};

/// How long what it has left in the background may keep us from its last words, and its end after a kill.
const GRACE: Duration = Duration::from_secs(1);
/// How much of its output is kept.
const KEPT: usize = 4096;
/// How many lines of it are told, and how much of each.
const LINES: usize = 5;
const WIDTH: usize = 200;

/// What came of a command.
#[derive(Debug)]
pub(super) struct Ran {
    /// How it ended; none where it had to be killed.
    pub(super) status: Option<ExitStatus>,
    /// The last lines of its output.
    pub(super) output: Vec<String>,
}

/// Runs a command with the notice on its standard input, and what tells of it in its environment. Its group is killed once the limit
/// is over.
pub(super) async fn run(command: &str, notice: &Notice, limit: Duration) -> std::io::Result<Ran> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .env("MESOSFLOW_RUN", &notice.run)
        .env("MESOSFLOW_CLUSTER", &notice.cluster)
        .env("MESOSFLOW_WORKFLOW", &notice.workflow)
        .env("MESOSFLOW_STATE", notice.state)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let tail = Tail::default();
    let document = notice.document.clone();
    let stdin = child.stdin.take();
    let writer = tokio::spawn(async move {
        if let Some(mut stdin) = stdin {
            // Whoever does not read it need not.
            let _unread = stdin.write_all(&document).await;
        }
    });
    let out = tokio::spawn(follow(child.stdout.take(), tail.clone()));
    let err = tokio::spawn(follow(child.stderr.take(), tail.clone()));
    let (out_end, err_end) = (out.abort_handle(), err.abort_handle());
    let ended = timeout(limit, child.wait()).await;
    let status = match ended {
        Ok(status) => {
            group.spare();
            Some(status?)
        }
        Err(_) => {
            group.kill();
            let _reaped = timeout(GRACE, child.wait()).await;
            None
        }
    };
    let _left_open = timeout(GRACE, async { tokio::join!(out, err) }).await;
    for task in [writer.abort_handle(), out_end, err_end] {
        task.abort();
    }
    Ok(Ran {
        status,
        output: tail.lines(),
    })
}

/// A process group that is killed when nobody waits for it any more.
struct Group(Option<Pid>);

impl Group {
    fn kill(&mut self) {
        // Gone in this moment is as good.
        let _gone = self.0.take().map(|group| kill_process_group(group, Signal::KILL));
    }

    /// Leaves what it has in the background alone.
    const fn spare(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The end of what a command says on both of its outputs.
#[derive(Debug, Clone, Default)]
struct Tail(Arc<Mutex<Vec<u8>>>);

impl Tail {
    fn take(&self, more: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(more);
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
    }

    /// The last lines that say something, each fit to be shown, and cut.
    fn lines(&self) -> Vec<String> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept).into_owned();
        let text = clean(&text);
        let lines: Vec<_> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let last = lines.iter().skip(lines.len().saturating_sub(LINES));
        last.map(|line| cut(line, WIDTH)).collect()
    }
}

async fn follow(from: Option<impl AsyncRead + Unpin>, tail: Tail) {
    let Some(mut from) = from else {
        return;
    };
    let mut some = [0; 1024];
    while let Ok(count @ 1..) = from.read(&mut some).await {
        tail.take(&some[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice() -> Notice {
        Notice {
            run: "01jd3k00000000000000000000".to_owned(),
            cluster: "demo".to_owned(),
            workflow: "deploy".to_owned(),
            state: "failed",
            // More than a pipe takes.
            document: vec![b'x'; 1 << 20].into(),
        }
    }

    const LONG: Duration = Duration::from_secs(120);

    #[tokio::test]
    async fn a_command_is_told_on_its_input_and_in_its_environment() {
        let shown =
            "wc -c; echo $MESOSFLOW_RUN $MESOSFLOW_CLUSTER $MESOSFLOW_WORKFLOW $MESOSFLOW_STATE >&2; exit 7";
        let ran = run(shown, &notice(), LONG).await.unwrap();
        assert_eq!(ran.status.unwrap().code(), Some(7));
        let mut output = ran.output;
        output.sort();
        assert_eq!(
            output,
            ["01jd3k00000000000000000000 demo deploy failed", "1048576"]
        );
    }

    #[tokio::test]
    async fn who_reads_nothing_ends_all_the_same_and_the_last_lines_of_much_are_kept() {
        let much = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; done; printf '%0300d\\n' 0";
        let ran = run(much, &notice(), LONG).await.unwrap();
        assert!(ran.status.unwrap().success());
        assert_eq!(
            ran.output[..4],
            ["line 2997", "line 2998", "line 2999", "line 3000"]
        );
        assert_eq!(ran.output[4], format!("{}…", "0".repeat(WIDTH)));
    }

    /// A process ends with its group: nobody holds the other end of a pipe any more.
    #[tokio::test]
    async fn after_the_limit_the_whole_group_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        // One of the group, not the shell itself, holds the fifo open for as long as it lives.
        let command = format!("sleep 1000 > '{}' & wait", fifo.display());
        let notice = notice();
        // On a thread that nobody waits for where the test fails.
        let (tell, reading) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || tell.send(std::fs::read(&fifo)));
        let ran = run(&command, &notice, Duration::from_millis(500)).await.unwrap();
        assert!(ran.status.is_none(), "{ran:?}");
        let read = timeout(LONG, reading)
            .await
            .expect("a process of the group lives on");
        assert_eq!(read.unwrap().unwrap(), b"");
    }

    #[tokio::test]
    async fn what_is_left_in_the_background_holds_nobody_up() {
        let notice = notice();
        let ran = run("echo done; sleep 1000 & echo $!", &notice, LONG);
        let ran = timeout(LONG, ran).await.expect("it is waited for").unwrap();
        assert!(ran.status.unwrap().success());
        assert_eq!(ran.output[0], "done");
        let sleep = Pid::from_raw(ran.output[1].parse().unwrap()).unwrap();
        rustix::process::kill_process(sleep, Signal::KILL).unwrap();
    }
}
