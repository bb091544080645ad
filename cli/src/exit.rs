//! The exit codes that scripts rely on.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked for is done.
    Done,
    /// The run failed.
    Failed,
    /// The command line, the configuration or the machine does not allow it; nothing was begun.
    Usage,
    /// Refused: held by another process, destructive without `--yes`, drift, the cluster exists.
    Refused,
    /// The journal cannot be used.
    Journal,
    /// Stopped in good order; the run can be resumed.
    Interrupted,
    /// As a job of the user's did.
    Job(u8),
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Journal => 4,
            Self::Interrupted => 130,
            Self::Job(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
