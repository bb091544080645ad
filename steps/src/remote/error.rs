//! What can go wrong between the controller and a node, and what the executor may do about it.

use std::cmp::Ordering;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mesosflow_workflow::{Epoch, ErrorClass, StepError};

use super::quote::QuoteError;

/// What to do where another driver has the cluster.
pub(crate) const TAKE_OVER: &str = "let the other driver go on; if it is gone for good, `mesosflow resume RUN --take-over` puts this journal above it";

/// A failure of the remote layer. Every variant knows its node, so that the message does.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// No TCP connection: refused, reset, unreachable, or a name that does not resolve.
    #[error("connecting to {node} ({address})")]
    Connect {
        /// The node.
        node: String,
        /// `user@host:port`.
        address: String,
        /// What the operating system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The node did not answer within the limit while connecting or logging in.
    #[error("{node} ({address}) did not answer within {}s while {doing}", limit.as_secs_f32())]
    ConnectTimeout {
        /// The node.
        node: String,
        /// `user@host:port`.
        address: String,
        /// `connecting`, `shaking hands` or `logging in`.
        doing: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The SSH protocol did not come about.
    #[error("shaking hands with {node} ({address}): {detail}")]
    Handshake {
        /// The node.
        node: String,
        /// `user@host:port`.
        address: String,
        /// What libssh2 said.
        detail: String,
    },
    /// The node presented another key than the pinned one. It was not talked to.
    #[error("{node} ({address}) presented host key {presented}, but {pinned} is pinned")]
    HostKeyMismatch {
        /// The node.
        node: String,
        /// `user@host:port`.
        address: String,
        /// The fingerprint it presented.
        presented: String,
        /// The fingerprints that were expected.
        pinned: String,
    },
    /// No host key is pinned for the node. It was not talked to.
    #[error("no host key is pinned for {node} ({address})")]
    NoHostKey {
        /// The node.
        node: String,
        /// `user@host:port`.
        address: String,
    },
    /// The node refused the key or the user.
    #[error("{node} refused the login of {address} with key {}: {detail}", key.display())]
    AuthRefused {
        /// The node.
        node: String,
        /// `user@host:port`.
        address: String,
        /// The private key that was offered.
        key: PathBuf,
        /// What libssh2 said.
        detail: String,
    },
    /// The jump node would not connect on to the node.
    #[error("reaching {node} through {jump}: {detail}")]
    Jump {
        /// The node.
        node: String,
        /// The node in between.
        jump: String,
        /// What libssh2 said.
        detail: String,
    },
    /// The node opened no channel for the command, and the connection is fine. Nothing was run.
    #[error("{node} has no channel for `{title}`: {detail}")]
    NoChannel {
        /// The node.
        node: String,
        /// The command.
        title: String,
        /// What libssh2 said.
        detail: String,
    },
    /// The node did not start the command, and the connection is fine. Nothing was run.
    #[error("{node} did not start `{title}`: {detail}")]
    NotStarted {
        /// The node.
        node: String,
        /// The command.
        title: String,
        /// What libssh2 said.
        detail: String,
    },
    /// The connection was gone before the command was sent. Nothing was run.
    #[error("the connection to {node} ended before `{title}` was sent: {detail}")]
    Disconnected {
        /// The node.
        node: String,
        /// The command.
        title: String,
        /// How the connection ended.
        detail: String,
    },
    /// The connection went away while the command ran. It may have done all, some or nothing of its work.
    #[error(
        "lost the connection to {node} during `{title}`: {detail}{}",
        indented(stderr_tail)
    )]
    ConnectionLost {
        /// The node.
        node: String,
        /// The command.
        title: String,
        /// How the connection ended.
        detail: String,
        /// The last lines of its standard error until then.
        stderr_tail: String,
    },
    /// The command said that it failed.
    #[error("`{title}` on {node} ended with {}{}", describe_status(*status), indented(stderr_tail))]
    Exit {
        /// The node.
        node: String,
        /// The command.
        title: String,
        /// Its exit status; 128 + n for signal n.
        status: i32,
        /// The last lines of its standard error.
        stderr_tail: String,
    },
    /// `sudo` would not run the command.
    #[error("sudo on {node} refused `{title}` to {user}{}", indented(detail))]
    SudoRefused {
        /// The node.
        node: String,
        /// The command.
        title: String,
        /// Who tried.
        user: String,
        /// What sudo said.
        detail: String,
    },
    /// The node has seen a newer driver of the cluster, or another one of the same epoch. It ran nothing, or has ended what
    /// ran.
    #[error("{}", fenced(node, *seen, *ours))]
    Fenced {
        /// The node.
        node: String,
        /// The command.
        title: String,
        /// The epoch that the node has seen.
        seen: Epoch,
        /// The epoch under which was to be acted.
        ours: Epoch,
    },
    /// The node cannot tell who may act on it, so nothing was run.
    #[error("the fence of {node} cannot be relied on: {reason}")]
    FenceUnusable {
        /// The node.
        node: String,
        /// What is wrong there.
        reason: String,
    },
    /// The command ran longer than it may. It was told to stop.
    #[error("`{title}` on {node} was not done after {}s{}", limit.as_secs_f32(), indented(stderr_tail))]
    Deadline {
        /// The node.
        node: String,
        /// The command.
        title: String,
        /// The limit.
        limit: Duration,
        /// The last lines of its standard error until then.
        stderr_tail: String,
    },
    /// The command neither took input nor gave output for longer than it may. It was told to stop.
    #[error("`{title}` on {node} was silent for {}s{}", limit.as_secs_f32(), indented(stderr_tail))]
    Silence {
        /// The node.
        node: String,
        /// The command.
        title: String,
        /// The limit.
        limit: Duration,
        /// The last lines of its standard error until then.
        stderr_tail: String,
    },
    /// A remote job began and ended without leaving its exit status: killed, or its machine went down.
    #[error(
        "job `{title}` ({job}) on {node} was killed, or its machine went down, before it was done{}",
        indented(stderr_tail)
    )]
    JobLost {
        /// The node.
        node: String,
        /// The job's id.
        job: String,
        /// The job.
        title: String,
        /// The last lines of its standard error.
        stderr_tail: String,
    },
    /// A remote job was not done in time. It goes on, and can be waited for again.
    #[error("job `{title}` ({job}) on {node} {reason}{}", indented(stderr_tail))]
    JobUnfinished {
        /// The node.
        node: String,
        /// The job's id.
        job: String,
        /// The job.
        title: String,
        /// Which limit it passed.
        reason: String,
        /// The last lines of its standard error until then.
        stderr_tail: String,
    },
    /// The node answered, but not what was asked for.
    #[error("`{title}` on {node} answered {answer:?}, which cannot be understood")]
    BadAnswer {
        /// The node.
        node: String,
        /// The command.
        title: String,
        /// What came back.
        answer: String,
    },
    /// What was to be fetched is larger than allowed.
    #[error("{path} on {node} is larger than {limit} bytes")]
    TooLarge {
        /// The node.
        node: String,
        /// The file there.
        path: String,
        /// The limit.
        limit: usize,
    },
    /// A command that cannot be sent: the caller's mistake.
    #[error("`{title}` cannot be sent to {node}: {reason}")]
    Unsendable {
        /// The node.
        node: String,
        /// The command.
        title: String,
        /// Why.
        reason: String,
    },
    /// Something on the controller's side: a local file that cannot be read, no more file descriptors.
    #[error("{doing} {}", path.display())]
    Local {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: Arc<io::Error>,
    },
}

impl RemoteError {
    pub(super) fn local(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Local {
            doing,
            path: path.into(),
            source: Arc::new(source),
        }
    }

    pub(crate) fn unquotable(node: &str, title: &str, error: QuoteError) -> Self {
        Self::Unsendable {
            node: node.to_owned(),
            title: title.to_owned(),
            reason: error.to_string(),
        }
    }

    /// The exit status, if the command ran to its end and said that it failed.
    pub fn exit_status(&self) -> Option<i32> {
        match self {
            Self::Exit { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl StepError for RemoteError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Connect { .. }
            | Self::ConnectTimeout { .. }
            | Self::Handshake { .. }
            | Self::Jump { .. }
            | Self::NoChannel { .. }
            | Self::NotStarted { .. }
            | Self::Disconnected { .. } => ErrorClass::Transient,
            Self::ConnectionLost { .. }
            | Self::Deadline { .. }
            | Self::Silence { .. }
            | Self::JobLost { .. }
            | Self::JobUnfinished { .. } => ErrorClass::Ambiguous,
            Self::HostKeyMismatch { .. } | Self::AuthRefused { .. } | Self::SudoRefused { .. } => {
                ErrorClass::Operator
            }
            Self::FenceUnusable { .. } => ErrorClass::Operator,
            Self::Fenced { .. } => ErrorClass::Fenced,
            Self::NoHostKey { .. }
            | Self::Exit { .. }
            | Self::BadAnswer { .. }
            | Self::TooLarge { .. }
            | Self::Unsendable { .. }
            | Self::Local { .. } => ErrorClass::Permanent,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::HostKeyMismatch { node, .. } => Some(format!(
                "if {node} was reinstalled on purpose, pin its new key; otherwise somebody else answers at its address"
            )),
            Self::AuthRefused { address, key, .. } => {
                Some(format!("check that the public half of {} is among the authorized keys of {address}", key.display()))
            }
            Self::SudoRefused { node, user, .. } => {
                Some(format!("let {user} on {node} use sudo without a password (NOPASSWD), or log in as root"))
            }
            Self::Fenced { .. } => Some(
                TAKE_OVER.to_owned(),
            ),
            Self::FenceUnusable { node, .. } => Some(format!(
                "on {node}, see that the folder belongs to root and nobody else may write to it; a damaged file may be \
                 removed if no other driver of the cluster is left"
            )),
            Self::Silence { .. } => Some(
                "a background process that keeps the command's output open also looks like this: redirect its output"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

fn fenced(node: &str, seen: Epoch, ours: Epoch) -> String {
    match seen.cmp(&ours) {
        Ordering::Equal => {
            format!("node `{node}` obeys another driver of this cluster, of the same epoch ({ours})")
        }
        Ordering::Less => format!(
            "node `{node}` obeys a driver of this cluster whom this journal does not know (epoch {seen}; this one has {ours})"
        ),
        Ordering::Greater => format!(
            "node `{node}` has been taken over by a newer driver of this cluster (epoch {seen}; this one has {ours})"
        ),
    }
}

/// An exit status in words.
fn describe_status(status: i32) -> String {
    let Some(number) = status.checked_sub(128).filter(|number| (1..=64).contains(number)) else {
        return format!("exit status {status}");
    };
    match signal_name(number) {
        Some(name) => format!("exit status {status} (killed by SIG{name})"),
        None => format!("exit status {status} (killed by signal {number})"),
    }
}

/// The signals that end processes in practice; their numbers are the same on every Linux of the architectures we meet.
const SIGNALS: [(i32, &str); 13] = [
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (4, "ILL"),
    (6, "ABRT"),
    (7, "BUS"),
    (8, "FPE"),
    (9, "KILL"),
    (11, "SEGV"),
    (13, "PIPE"),
    (14, "ALRM"),
    (15, "TERM"),
    (24, "XCPU"),
];

fn signal_name(number: i32) -> Option<&'static str> {
    SIGNALS
        .iter()
        .find(|(known, _)| *known == number)
        .map(|(_, name)| *name)
}

/// The status that a shell would report for a process killed by the signal of this name.
pub(super) fn status_of_signal(name: &str) -> i32 {
    SIGNALS
        .iter()
        .find(|(_, known)| *known == name)
        .map_or(255, |(number, _)| 128 + number)
}

/// Output of a node under the message that mentions it.
fn indented(text: &str) -> String {
    let mut block = String::new();
    for line in text.lines() {
        block.push_str("\n    ");
        block.push_str(line);
    }
    if block.is_empty() {
        block
    } else {
        format!(":{block}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_says_what_where_and_why() {
        let error = RemoteError::Exit {
            node: "master-1".into(),
            title: "start the namenode".into(),
            status: 3,
            stderr_tail: "no such directory\ngiving up".into(),
        };
        insta::assert_snapshot!(error, @r"
        `start the namenode` on master-1 ended with exit status 3:
            no such directory
            giving up
        ");
        assert_eq!(error.class(), ErrorClass::Permanent);
    }

    #[test]
    fn a_signal_is_told_as_such() {
        assert_eq!(describe_status(137), "exit status 137 (killed by SIGKILL)");
        assert_eq!(describe_status(1), "exit status 1");
        assert_eq!(describe_status(128), "exit status 128");
        assert_eq!(describe_status(255), "exit status 255");
        assert_eq!(status_of_signal("TERM"), 143);
    }
}
