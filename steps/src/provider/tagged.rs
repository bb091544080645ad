//! What exists, by the tags that it carries, and what becomes of it when it is to go.

use jiff::Timestamp;
use mesosflow_workflow::{Driver, Resource};
use serde::Serialize;

use crate::cluster::{MadeBy, ProviderKind};

/// A resource that carries mesosflow's tags, whoever made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tagged {
    /// The provider that has it.
    pub provider: ProviderKind,
    /// Where, in the provider's words (a region).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What it is, in the provider's words.
    pub kind: String,
    /// The provider's id.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The cluster, as its tag says.
    pub cluster: String,
    /// The run, as its tag says.
    pub run: String,
    /// The driver that made it, as its tag says; none where it says nothing.
    #[serde(skip)]
    pub driver: Option<Driver>,
    /// Whose journal made it, as its tags say; none where they say nothing.
    pub made_by: Option<MadeBy>,
    /// When it came to exist, where the provider tells, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_at: Option<Timestamp>,
}

impl Tagged {
    /// What there is to delete.
    pub fn resource(&self) -> Resource {
        Resource {
            kind: self.kind.clone(),
            id: self.id.clone(),
            name: self.name.clone(),
        }
    }
}

/// What became of a thing that was to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletion {
    /// It was seen gone.
    Gone,
    /// It is not mesosflow's: it was left alone, and counts no more as the run's.
    Left,
    /// Something holds it that has to go before, and that may not have been seen yet: look again. In words.
    Held(String),
}
