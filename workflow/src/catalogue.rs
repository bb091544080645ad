//! The catalogue: every step of a flow, in the order that replay follows.

use serde::{Deserialize, Serialize};

use crate::ids::StepId;
use crate::replay::Replay;

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
    /// Whether its items are what later items of the same key act on (a launch: the machine): once one is replaced, those are
    /// stale.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaces: bool,
    /// Whether it takes back what later steps did (Mesos is stopped): once it alone is replayed, those are stale.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undoes: bool,
    /// What it was called in earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formerly: Vec<StepId>,
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
            replaces: false,
            undoes: false,
            formerly: Vec::new(),
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

    /// The same for a step that makes what later items of the same key act on.
    #[must_use]
    pub const fn replaces(mut self) -> Self {
        self.replaces = true;
        self
    }

    /// The same for a step that takes back what later steps did.
    #[must_use]
    pub const fn undoes(mut self) -> Self {
        self.undoes = true;
        self
    }

    /// The same for a step that earlier versions called `id`.
    #[must_use]
    pub fn formerly(mut self, id: StepId) -> Self {
        self.formerly.push(id);
        self
    }

    /// Whether a run goes on in the same way under either entry; what they are called for people does not matter.
    fn drives_like(&self, other: &Self) -> bool {
        self.id == other.id
            && self.fans_out_over.is_some() == other.fans_out_over.is_some()
            && self.destructive == other.destructive
            && self.replaces == other.replaces
            && self.undoes == other.undoes
    }
}

/// What another version of the program changed in a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatalogueChange {
    /// Steps that were not there before.
    pub added: Vec<StepId>,
    /// Steps that are no more.
    pub dropped: Vec<StepId>,
    /// Steps that have another name.
    pub renamed: Vec<Renamed>,
}

/// A step that got another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renamed {
    /// What it was called.
    pub from: StepId,
    /// What it is called now.
    pub to: StepId,
}

impl CatalogueChange {
    /// A replay that was asked for in the old catalogue's words, in the new one's.
    #[must_use]
    pub fn renamed(&self, replay: Replay) -> Replay {
        let now = |step: StepId| {
            let renamed = self.renamed.iter().find(|renamed| renamed.from == step);
            renamed.map_or(step, |renamed| renamed.to.clone())
        };
        Replay {
            from: now(replay.from),
            to: replay.to.map(now),
            only: replay.only,
        }
    }

    /// What leads from `old` to `new`; none where a run goes on in the same way under both.
    pub fn between(old: &[CatalogueEntry], new: &[CatalogueEntry]) -> Option<Self> {
        let alike = old.len() == new.len() && old.iter().zip(new).all(|(old, new)| old.drives_like(new));
        if alike {
            return None;
        }
        let knows = |entries: &[CatalogueEntry], id: &StepId| entries.iter().any(|entry| entry.id == *id);
        let mut change = Self::default();
        for entry in new.iter().filter(|entry| !knows(old, &entry.id)) {
            let before = entry.formerly.iter().find(|id| knows(old, id) && !knows(new, id));
            match before {
                Some(before) => change.renamed.push(Renamed {
                    from: before.clone(),
                    to: entry.id.clone(),
                }),
                None => change.added.push(entry.id.clone()),
            }
        }
        let is_renamed = |id: &StepId| change.renamed.iter().any(|renamed| renamed.from == *id);
        let dropped = old
            .iter()
            .map(|entry| &entry.id)
            .filter(|id| !knows(new, id) && !is_renamed(id));
        change.dropped = dropped.cloned().collect();
        Some(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &'static str) -> CatalogueEntry {
        CatalogueEntry::new(StepId::from_static(id), "-", id)
    }

    #[test]
    fn a_change_names_what_was_added_dropped_and_renamed() {
        let old = [entry("a"), entry("b"), entry("c")];
        let new = [
            entry("a"),
            entry("d"),
            entry("b2").formerly(StepId::from_static("b")),
        ];
        let change = CatalogueChange::between(&old, &new).unwrap();
        assert_eq!(change.added, [StepId::from("d")]);
        assert_eq!(change.dropped, [StepId::from("c")]);
        assert_eq!(
            change.renamed,
            [Renamed {
                from: "b".into(),
                to: "b2".into()
            }]
        );
    }

    #[test]
    fn another_order_is_a_change_and_another_title_is_none() {
        let (a, b) = (entry("a"), entry("b"));
        assert!(CatalogueChange::between(&[a.clone(), b.clone()], &[b.clone(), a.clone()]).is_some());
        let titled = CatalogueEntry {
            title: "other words".into(),
            ..a.clone()
        };
        assert_eq!(
            CatalogueChange::between(std::slice::from_ref(&a), &[titled]),
            None
        );
        let destructive = a.clone().destructive();
        assert!(CatalogueChange::between(&[a], &[destructive]).is_some());
    }
}
