//! What a way to show progress can do.

use mesosflow_workflow::{Recorded, RunState};

/// A way to show progress.
pub(crate) trait Show: Send {
    /// Shows an event; `state` is the run's state after it.
    fn event(&mut self, recorded: &Recorded, state: Option<&RunState>);

    /// Says something else.
    fn say(&mut self, text: &str);

    /// Leaves the terminal as plain text.
    fn end(&mut self);
}
