//! What a replay takes over from the other runs of its cluster.

use serde_json::Value;

use crate::event::Inherited;

/// What other runs have made of the run's cluster since, frozen with a replay: it acts on the cluster as that is by then.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heritage {
    /// The spec in force; none where that is the run's own.
    pub spec: Option<Value>,
    /// Outcomes of the run's steps that other runs have.
    pub inherited: Vec<Inherited>,
}

impl Heritage {
    /// Whether nobody has changed anything.
    pub const fn is_empty(&self) -> bool {
        self.spec.is_none() && self.inherited.is_empty()
    }
}
