//! The catalogue: every step of a flow, in the order that replay follows.

use serde::{Deserialize, Serialize};

use crate::ids::StepId;

/// What is known of a step without running it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueEntry {
    /// The step's id.
    pub id: StepId,
    /// The item of the deploy notes that it stands for (`2.17`), `-` where it has none.
    pub notes: String,
    /// What it does, in a few words.
    pub title: String,
    /// What it has one item for (`nodes`), if it fans out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fans_out_over: Option<String>,
    /// Whether running it again destroys data.
    pub destructive: bool,
}

impl CatalogueEntry {
    /// An entry for a step that runs once and destroys nothing.
    pub fn new(id: StepId, notes: &str, title: &str) -> Self {
        Self {
            id,
            notes: notes.to_owned(),
            title: title.to_owned(),
            fans_out_over: None,
            destructive: false,
        }
    }

    /// The same for a step with an item for each of `what`.
    #[must_use]
    pub fn over(mut self, what: &str) -> Self {
        self.fans_out_over = Some(what.to_owned());
        self
    }

    /// The same for a step that destroys data when it runs again.
    #[must_use]
    pub const fn destructive(mut self) -> Self {
        self.destructive = true;
        self
    }
}
