//! What exists, by the tags that it carries, and what becomes of it when it is to go.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mesosflow_workflow::{Driver, Resource};
use serde::{Deserialize, Serialize};

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

/// A user's own tags, as they are to be on everything of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserTags {
    /// By name.
    pub set: BTreeMap<String, String>,
    /// Names that were among them before.
    pub dropped: Vec<String>,
}

impl UserTags {
    /// What leads from those to these.
    pub fn between(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Self {
        let dropped = before.keys().filter(|name| !now.contains_key(*name));
        Self {
            set: now.clone(),
            dropped: dropped.cloned().collect(),
        }
    }

    /// Whether a thing with these tags has them so.
    pub fn are_on(&self, tags: &BTreeMap<String, String>) -> bool {
        let mut set = self.set.iter();
        set.all(|(name, value)| tags.get(name) == Some(value))
            && !self.dropped.iter().any(|name| tags.contains_key(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_go_are_dropped_by_name_and_others_are_nobodys_business() {
        let tags = |all: &[(&str, &str)]| -> BTreeMap<String, String> {
            let owned = all
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            owned.collect()
        };
        let change = UserTags::between(&tags(&[("team", "a"), ("cost", "1")]), &tags(&[("team", "b")]));
        assert_eq!(change.dropped, ["cost"]);
        assert!(change.are_on(&tags(&[("team", "b"), ("mesosflow:run", "x")])));
        assert!(!change.are_on(&tags(&[("team", "a")])));
        assert!(!change.are_on(&tags(&[("team", "b"), ("cost", "1")])));
    }
}
