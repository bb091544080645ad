//! A command on a node: a script with a title and limits, and what came of it.
//!
//! # How a command ends with its channel, and at its deadline
//!
//! Closing an SSH channel without a terminal closes the command's pipes and nothing more: a `sleep` goes on, and a script
//! cannot tell the end of its input from a controller that died in the middle of sending it. So a small wrapper stands
//! between the SSH server and the script. It receives the script's input with its exact length, followed by a mark; the
//! script sees the end of its input only once the mark is there. After that the wrapper watches the channel: if that ends
//! before the script does, the script's whole process group is killed, and what else is in its session. A command
//! therefore does not outlive its session, and never acts on half of its input.
//!
//! A connection can die without the node hearing of it, and the controller too: then no channel ends. So the wrapper also
//! knows the command's deadline, and kills the same processes a moment after it. What has to outlive the session is a
//! [job](super::job).
//!
//! A command of a run also passes the [fence](super::fence): the wrapper compares the run's token with the node's before
//! the script begins.

use std::sync::Arc;
use std::time::Duration;

use super::fence::Fence;
use super::quote::{self, QuoteError};

/// The deadline of a command that names none.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(60);
/// The limit on silence of a command that names none.
pub const DEFAULT_SILENCE: Duration = Duration::from_secs(30);
/// How many bytes of each output stream are kept if the command does not say.
pub const DEFAULT_MAX_OUTPUT: usize = 1024 * 1024;

/// libssh2 sends a request as one packet of at most 35000 bytes.
const MAX_LINE: usize = 32_000;

/// How long after its deadline a command that nobody has ended yet is ended by the node.
const GRACE: Duration = Duration::from_secs(3);

/// `$1` is the script, `$2` the length of its input, `$3` its deadline in seconds. Behind the fence, `$4` is the fence's
/// folder and `$5` the run's [mark](super::fence::Fence::mark).
///
/// Of the left side of the pipeline, one process waits for the deadline; the other hands on exactly so much input, reads
/// the mark, closes the script's input and waits for the end of the channel. The right side learns from the pipe's first
/// line whom to end when the script is done; with `SIGPIPE`, about which no shell writes a message. The SSH server starts
/// every command in a session and a process group of its own, which `end` kills.
///
/// Its processes are stopped first, so that none goes on because another was killed before it; but for those that wait for
/// an end, which could stop each other. `end` goes through to its own, even if the script is done meanwhile: it must not
/// leave anything stopped.
///
/// Nothing of it starts a program but the `sleep`: what every command pays for is four forks.
const WRAPPER: &str = shell!("wrapper.sh");

/// A script to be run on a node as root, with the limits under which it runs.
#[derive(Clone)]
pub struct Command {
    pub(super) title: String,
    pub(super) script: String,
    pub(super) stdin: Arc<Vec<u8>>,
    pub(super) deadline: Duration,
    pub(super) silence: Duration,
    pub(super) max_output: usize,
}

impl Command {
    /// A POSIX shell script. The title is what logs and errors say; the script itself is never logged.
    ///
    /// No secret belongs in the script, which other users of the node can see while it runs: it goes through `stdin`.
    pub fn new(title: impl Into<String>, script: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            script: script.into(),
            stdin: Arc::default(),
            deadline: DEFAULT_DEADLINE,
            silence: DEFAULT_SILENCE,
            max_output: DEFAULT_MAX_OUTPUT,
        }
    }

    /// What the script reads from its standard input; nothing if never called.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Arc::new(bytes.into());
        self
    }

    /// How long the command may take altogether, once it is its turn.
    #[must_use]
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = limit;
        self
    }

    /// How long the command may go without taking input or giving output.
    #[must_use]
    pub fn silence(mut self, limit: Duration) -> Self {
        self.silence = limit;
        self
    }

    /// How many bytes of each output stream are kept, from the end. The rest is read and dropped.
    #[must_use]
    pub fn max_output(mut self, bytes: usize) -> Self {
        self.max_output = bytes;
        self
    }
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Command")
            .field("title", &self.title)
            .field("stdin", &format_args!("{} bytes", self.stdin.len()))
            .field("deadline", &self.deadline)
            .field("silence", &self.silence)
            .finish_non_exhaustive()
    }
}

/// Why a command line cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error(transparent)]
    Quote(#[from] QuoteError),
    #[error("the script is too long ({0} bytes when quoted, at most {MAX_LINE}): send it as input")]
    TooLong(usize),
}

/// The line that the SSH server is asked to run.
pub(super) fn command_line(
    script: &str,
    stdin_len: u64,
    deadline: Duration,
    fence: Option<&Fence>,
    sudo: bool,
) -> Result<String, LineError> {
    let length = stdin_len.to_string();
    let limit = (deadline + GRACE).as_secs().max(1).to_string();
    let mark = fence.map(Fence::mark);
    let root: &[&str] = if sudo {
        &["exec", "sudo", "-n", "--"]
    } else {
        &["exec"]
    };
    let wrapped = ["sh", "-c", WRAPPER, "mesosflow", script, &length, &limit];
    let behind = fence.map(Fence::folder).into_iter().chain(mark.as_deref());
    let line = quote::join(root.iter().copied().chain(wrapped).chain(behind))?;
    if line.len() > MAX_LINE {
        Err(LineError::TooLong(line.len()))
    } else {
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::super::feed::INPUT_MARK;
    use std::io::{Read, Write};
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{Child, Stdio};

    use super::*;

    /// Runs a line as the SSH server would: by a shell, in a process group of its own.
    fn spawn_within(deadline: Duration, script: &str, stdin_len: u64) -> Child {
        std::process::Command::new("sh")
            .arg("-c")
            .arg(command_line(script, stdin_len, deadline, None, false).unwrap())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn spawn(script: &str, stdin_len: u64) -> Child {
        spawn_within(DEFAULT_DEADLINE, script, stdin_len)
    }

    fn run(script: &str, input: &[u8]) -> (i32, String, String) {
        let mut child = spawn(script, input.len() as u64);
        let mut stdin = child.stdin.take().unwrap();
        // A script may end without reading its input.
        let _ = stdin.write_all(input).and_then(|()| stdin.write_all(INPUT_MARK));
        let (mut out, mut err) = (String::new(), String::new());
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (child.wait().unwrap().code().unwrap(), out, err)
    }

    #[test]
    fn the_script_sees_its_input_and_its_end() {
        assert_eq!(
            run("cat; echo err >&2; exit 3", b"one\ntwo"),
            (3, "one\ntwo".into(), "err\n".into())
        );
        assert_eq!(run("cat; echo done", b""), (0, "done\n".into(), String::new()));
        assert_eq!(run("cat", b".\n.\n").1, ".\n.\n");
    }

    #[test]
    fn a_script_need_not_read_its_input() {
        assert_eq!(
            run("echo early", &[b'x'; 1 << 20]),
            (0, "early\n".into(), String::new())
        );
    }

    #[test]
    fn a_script_killed_by_a_signal_reports_it() {
        assert_eq!(run("kill -KILL $$", b"").0, 137);
    }

    #[test]
    fn truncated_input_is_never_acted_upon() {
        let mut child = spawn("cat >/dev/null; echo acted", 10);
        child.stdin.take().unwrap().write_all(b"half").unwrap();
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        assert_eq!(out, "");
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }

    #[test]
    fn the_end_of_the_channel_kills_the_script() {
        let mut child = spawn("echo up; sleep 1000; echo acted", 0);
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(INPUT_MARK).unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut up = [0; 3];
        stdout.read_exact(&mut up).unwrap();
        drop(stdin);
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }

    /// Of a controller that is there and does nothing, or is gone without a word.
    #[test]
    fn the_deadline_ends_what_nobody_else_does() {
        for (script, input, length) in [
            ("trap '' TERM HUP; sleep 1000; echo acted", INPUT_MARK, 0),
            ("cat >/dev/null; echo acted", &b"half"[..], 10),
            ("cat >/dev/null; echo acted", &b""[..], 0),
        ] {
            let mut child = spawn_within(Duration::ZERO, script, length);
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(input).unwrap();
            let mut out = String::new();
            child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
            assert_eq!(out, "", "{script}");
            assert_eq!(child.wait().unwrap().signal(), Some(9), "{script}");
            drop(stdin);
        }
    }

    #[test]
    fn a_script_that_does_not_fit_a_packet_is_refused() {
        assert!(matches!(
            command_line(&"x".repeat(40_000), 0, DEFAULT_DEADLINE, None, false),
            Err(LineError::TooLong(_))
        ));
        assert!(matches!(
            command_line("\0", 0, DEFAULT_DEADLINE, None, true),
            Err(LineError::Quote(_))
        ));
    }
}
