//! A test of this binary as a process of its own, which can be killed.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const JOURNAL: &str = "MESOSFLOW_TEST_JOURNAL";

/// A running child and what it says.
pub(crate) struct Process {
    child: Child,
    /// What it is told; its end tells it that its parent is gone.
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Runs the ignored test `name` on `journal`.
    pub(crate) fn start(name: &str, journal: &Path) -> Self {
        Self::spawn(Command::new(std::env::current_exe().unwrap()), name, journal)
    }

    /// The same under a shell that runs `prelude` first.
    pub(crate) fn start_under(prelude: &str, name: &str, journal: &Path) -> Self {
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(format!("{prelude}; exec \"$0\" \"$@\""))
            .arg(std::env::current_exe().unwrap());
        Self::spawn(shell, name, journal)
    }

    /// The same where `what` is mounted over `over`, which only that process sees. It says nothing where this user may not
    /// mount.
    pub(crate) fn start_mounted(what: &Path, over: &Path, name: &str, journal: &Path) -> Self {
        let mut unshare = Command::new("unshare");
        unshare
            .args(["--mount", "sh", "-c"])
            .arg("mount --bind \"$0\" \"$1\" && shift && exec \"$@\"")
            .args([what, over])
            .arg(std::env::current_exe().unwrap());
        Self::spawn(unshare, name, journal)
    }

    fn spawn(mut command: Command, name: &str, journal: &Path) -> Self {
        command
            .args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
            .env(JOURNAL, journal)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let input = child.stdin.take().unwrap();
        Self { child, input, lines }
    }

    /// The next thing it says behind `word`; `None` once it is gone. What else it says is passed over.
    pub(crate) fn next(&mut self, word: &str) -> Option<String> {
        self.lines.by_ref().map_while(Result::ok).find_map(|line| {
            // The harness does not end its own lines before the test speaks.
            line.split_once(&format!("@{word} "))
                .map(|(_, said)| said.to_owned())
        })
    }

    /// Tells it a line; see [`told`].
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and what it had still said behind `word`.
    pub(crate) fn kill(mut self, word: &str) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::iter::from_fn(|| self.next(word)).collect()
    }

    /// Waits for its end.
    pub(crate) fn join(mut self) {
        while self.next("").is_some() {}
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, as a rule.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In the child: what the parent tells next; `None` once the parent is gone.
pub(crate) fn told() -> Option<String> {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).unwrap();
    (read > 0).then(|| line.trim().to_owned())
}

/// The journal that the child is to use; `None` where this is not a child.
pub(crate) fn journal() -> Option<PathBuf> {
    std::env::var_os(JOURNAL).map(PathBuf::from)
}

/// Waits, as a child, until the parent has ended, in whichever way: its end of the pipe goes with it.
pub(crate) fn until_parent_ends() {
    let _ended = std::io::stdin().read(&mut [0]);
}

/// Says something to the parent.
pub(crate) fn say(word: &str, what: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "@{word} {what}").unwrap();
    out.flush().unwrap();
}
