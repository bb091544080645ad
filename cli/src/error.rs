//! What the user is told when something does not work, in the shape `error` / `caused by` / `hint`.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

use mesosflow_workflow::{ErrorReport, RecordError, RunError, RunId, STOPPED, StoreError};

use crate::exit::Exit;
use crate::hints::naming;
use crate::text::clean;

/// An error on its way to the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CliError {
    /// What was being done and did not work.
    pub(crate) message: String,
    /// Why, outermost first.
    pub(crate) causes: Vec<String>,
    /// What to do, each on a line of its own.
    pub(crate) hints: Vec<String>,
    /// How the program ends.
    pub(crate) exit: Exit,
    /// What sort it is, for those who act on it.
    pub(crate) kind: Kind,
    /// The run that is damaged.
    pub(crate) damaged: Option<RunId>,
}

/// Errors that are dealt with, and not only told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is told, and that is all.
    Plain,
    /// There is nobody to tell: the reader of the output has gone.
    Silent,
    /// One run's history is damaged.
    DamagedRun,
}

impl CliError {
    /// An error with a message only.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            exit,
            kind: Kind::Plain,
            damaged: None,
        }
    }

    /// The same for bad usage or configuration.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The same for something that is refused.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    /// Adds a cause.
    #[must_use]
    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds `error` and the chain of its sources as causes.
    #[must_use]
    pub(crate) fn because_of(mut self, error: &dyn Error) -> Self {
        self.causes.extend(chain(Some(error)));
        self
    }

    /// Adds a failure of a step as causes, and its way out as a hint.
    #[must_use]
    pub(crate) fn because_of_report(mut self, report: &ErrorReport) -> Self {
        self.causes.push(report.message.clone());
        self.causes.extend(report.causes.iter().cloned());
        let hints = report.hint.iter().flat_map(|hint| hint.lines());
        self.hints.extend(hints.map(str::to_owned));
        self
    }

    /// Adds a way out.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same where the run is known that it is about: its hints name it, and the one that is `replayed` where it speaks of that.
    #[must_use]
    pub(crate) fn about(mut self, run: RunId, replayed: RunId) -> Self {
        for hint in &mut self.hints {
            *hint = naming(run, replayed, hint);
        }
        self
    }

    /// The same where the command is known that failed: its hints name this journal, and never that command itself.
    #[must_use]
    pub(crate) fn on_journal(mut self, named_in: impl Fn(&str) -> String, destroys: bool) -> Self {
        if let Some(run) = self.damaged
            && !destroys
        {
            self.hints.push(format!(
                "its cluster can still be deleted: `mesosflow destroy {run}`"
            ));
        }
        for hint in &mut self.hints {
            *hint = named_in(hint);
        }
        self
    }

    /// Whether there is nobody to tell.
    pub(crate) fn is_silent(&self) -> bool {
        self.kind == Kind::Silent
    }

    /// The lines for standard error.
    pub(crate) fn render(&self, paint: impl Fn(&str) -> String) -> String {
        let mut text = String::new();
        let mut entry = |label: &str, indent: &str, body: &str| {
            let body = clean(body.trim_end()).replace('\n', &format!("\n{indent}  "));
            let _infallible = writeln!(text, "{} {body}", paint(label));
        };
        entry("error:", "", &self.message);
        for cause in &self.causes {
            entry("  caused by:", "  ", cause);
        }
        for hint in &self.hints {
            entry("  hint:", "  ", hint);
        }
        text
    }
}

/// The messages of `error` and its sources.
pub(crate) fn chain(mut error: Option<&dyn Error>) -> Vec<String> {
    let mut messages = Vec::new();
    while let Some(current) = error {
        messages.push(current.to_string());
        error = current.source();
    }
    messages
}

impl From<io::Error> for CliError {
    /// For failures of standard output. That its reader has gone is nothing to complain about.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self {
                kind: Kind::Silent,
                ..Self::new(Exit::Done, "the reader of the output has gone")
            };
        }
        Self::new(Exit::Failed, "cannot write to the standard output").because_of(&error)
    }
}

impl From<&StoreError> for CliError {
    fn from(error: &StoreError) -> Self {
        let cli = |exit| Self {
            message: error.to_string(),
            causes: chain(error.source()),
            hints: Vec::new(),
            exit,
            kind: match error {
                StoreError::DamagedRun { .. } => Kind::DamagedRun,
                _ => Kind::Plain,
            },
            damaged: match error {
                StoreError::DamagedRun { run, .. } => Some(*run),
                _ => None,
            },
        };
        match error {
            StoreError::UnknownRun { .. } => cli(Exit::Usage).hint("`mesosflow list` shows the runs"),
            StoreError::Held { holder: Some(holder), .. } if holder.contains(STOPPED) => cli(Exit::Refused)
                .hint("it holds the cluster until it is ended, however long it stays stopped: use one of the two commands"),
            StoreError::Held { .. } => cli(Exit::Refused).hint("wait until that process ends, or stop it with Ctrl-C"),
            StoreError::ClusterExists { .. } => cli(Exit::Refused),
            StoreError::Unfinished { run, .. } => cli(Exit::Refused)
                .hint(format!("to go on with it: `mesosflow resume {run}`"))
                .hint(format!("to undo it, where it has an undo: `mesosflow rollback {run}`"))
                .hint(format!("to end it where it stands: `mesosflow close {run}`")),
            StoreError::Fenced { .. } => cli(Exit::Refused).hint("leave the run to the process that took it over"),
            StoreError::OutOfSequence { .. } => cli(Exit::Journal),
            StoreError::NewerFormat { .. } => {
                cli(Exit::Journal).hint("use the newer mesosflow that wrote it, or another --journal")
            }
            StoreError::DamagedRun { .. } => cli(Exit::Journal)
                .hint("the other runs are as they were; `mesosflow journal check` says what is damaged"),
            StoreError::Corrupt(_) => {
                cli(Exit::Journal).hint("restore the journal from a copy, or name another one with --journal")
            }
            StoreError::Misplaced { remedy, .. } => cli(Exit::Journal).hint(remedy),
            StoreError::Unusable { .. } => cli(Exit::Journal)
                .hint("make the journal's file and folder writable, with space on their disk, or name another one with --journal"),
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<&RecordError> for CliError {
    fn from(error: &RecordError) -> Self {
        match error {
            RecordError::Store(store) => Self::from(&**store),
            RecordError::Illegal(illegal) => Self::new(Exit::Failed, error.to_string())
                .because_of(&**illegal)
                .hint("this is a defect: please report it"),
        }
    }
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        match &error {
            RunError::Store(store) => Self::from(store),
            RunError::Record(record) => Self::from(record),
            RunError::Changed { .. } => Self::refused(error.to_string())
                .hint("look at it again with `mesosflow status`, and decide anew"),
            RunError::OldFormat { run, .. } => Self::refused(error.to_string())
                .hint("use that version to go on with it")
                .hint(format!(
                    "or delete what it made with `mesosflow destroy {run}`, and begin a new one"
                )),
            RunError::History(illegal) => Self::new(Exit::Journal, error.to_string())
                .because_of(illegal)
                .hint("restore the journal from a copy, or name another one with --journal"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_shape_error_caused_by_hint() {
        let error = CliError::refused("step `launch-slaves` failed after 3 attempts")
            .because("the engine refused to run demo-slave-1\nno space left\u{1b}[31m")
            .hint("free some space")
            .hint("then `mesosflow resume 01jd3k`");
        insta::assert_snapshot!(error.render(str::to_owned), @r"
        error: step `launch-slaves` failed after 3 attempts
          caused by: the engine refused to run demo-slave-1
            no space left[31m
          hint: free some space
          hint: then `mesosflow resume 01jd3k`
        ");
    }

    #[test]
    fn every_store_error_has_its_exit_code() {
        let run = mesosflow_workflow::RunId::generate();
        let unusable = StoreError::Unusable {
            doing: "cannot append".into(),
            source: "the disk is full".into(),
        };
        for (error, exit) in [
            (StoreError::UnknownRun { run }, Exit::Usage),
            (StoreError::Held { run, holder: None }, Exit::Refused),
            (
                StoreError::ClusterExists {
                    cluster: "demo".into(),
                    run,
                },
                Exit::Refused,
            ),
            (
                StoreError::NewerFormat {
                    found: 9,
                    supported: 1,
                },
                Exit::Journal,
            ),
            (StoreError::Corrupt("x".into()), Exit::Journal),
            (
                StoreError::Misplaced {
                    path: "journal.sqlite".into(),
                    what: "was deleted".into(),
                    remedy: "restore it".into(),
                },
                Exit::Journal,
            ),
            (unusable, Exit::Journal),
        ] {
            assert_eq!(CliError::from(&error).exit, exit, "{error}");
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure() {
        let gone = CliError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(gone.is_silent());
        assert_eq!(gone.exit, Exit::Done);
        assert_eq!(
            CliError::from(io::Error::from(io::ErrorKind::StorageFull)).exit,
            Exit::Failed
        );
    }
}
