//! Who is to be told.

use super::webhook::Webhook;

/// Who is to be told when a run ends.
#[derive(Debug, Clone, Default)]
pub(crate) struct Channels {
    /// A command of the user's, and what gave it.
    pub(super) command: Option<(String, &'static str)>,
    pub(super) url: Option<Webhook>,
    /// Why a configuration that may name some could not be read.
    pub(crate) unread: Option<String>,
}

impl Channels {
    /// Those of a file that could not be read.
    pub(crate) fn unread(why: String) -> Self {
        Self {
            unread: Some(why),
            ..Self::default()
        }
    }

    /// The same with the command of `--notify`, which stands in for the file's.
    #[must_use]
    pub(crate) fn with_flag(self, flag: Option<&str>) -> Self {
        let command = flag.map(|command| (command.to_owned(), "--notify"));
        Self {
            command: command.or(self.command),
            ..self
        }
    }

    /// Whether there are none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.command.is_none() && self.url.is_none()
    }
}

/// Refuses what no shell can be given.
pub(crate) fn check_command(command: &str) -> Result<(), &'static str> {
    match command {
        _ if command.trim().is_empty() => Err("is empty"),
        _ if command.contains('\0') => Err("holds a NUL"),
        _ => Ok(()),
    }
}
