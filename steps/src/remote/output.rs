//! What a command on a node has said and how it ended.

/// What a command that ran to its end left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit status; 128 + n if it was killed by signal n.
    pub status: i32,
    /// Its standard output, or the end of it.
    pub stdout: Vec<u8>,
    /// Its standard error, or the end of it.
    pub stderr: Vec<u8>,
    /// Whether the beginning of either was dropped, because it was more than the command keeps.
    pub truncated: bool,
}

impl Output {
    /// The standard output as text without its trailing newlines; bytes that are no UTF-8 are replaced.
    pub fn stdout_str(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.stdout).into_owned();
        text.truncate(text.trim_end_matches(['\n', '\r']).len());
        text
    }

    /// The last lines of the standard error that say something.
    pub fn stderr_tail(&self) -> String {
        super::tail::last_lines(&self.stderr)
    }

    /// Whether the status is 0.
    pub fn success(&self) -> bool {
        self.status == 0
    }
}

/// The wrapper's status when the fence keeps the script from beginning; it counts only with the last line of its standard
/// error, before which the user's login shell may have said something.
pub(super) const FENCED_STATUS: i32 = 97;

/// A piece of a command's output, cut anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Of its standard output.
    Out(Vec<u8>),
    /// Of its standard error.
    Err(Vec<u8>),
}
