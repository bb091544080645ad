//! Progress without a terminal: a line for each event.

use mesosflow_workflow::{Recorded, RunState};

use super::event;
use super::show::Show;
use crate::text::clean;
use crate::ui::Ui;

/// Writes lines to standard error.
pub(crate) struct Plain {
    ui: Ui,
}

impl Plain {
    /// Shows progress line by line.
    pub(crate) const fn new(ui: Ui) -> Self {
        Self { ui }
    }
}

impl Show for Plain {
    fn event(&mut self, recorded: &Recorded, state: Option<&RunState>) {
        self.ui.note(&event::line(recorded, state));
    }

    fn say(&mut self, text: &str) {
        self.ui.note(&clean(text));
    }

    fn end(&mut self) {}
}
