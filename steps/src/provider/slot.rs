//! Whose a machine is, and the place that it fills: known before it exists, and what finds it again after a crash.

use mesosflow_workflow::{FencingToken, Generation, RunId};

use crate::cluster::{MadeBy, Role};

/// Whose a resource is: what every one of them is tagged with, in the call that makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The cluster's name.
    pub cluster: String,
    /// The run.
    pub run: RunId,
    /// The cluster's id and the driver that makes it; none outside the fence, where nothing is made.
    pub driver: Option<FencingToken>,
    /// Whose journal the run is in; none of a run that an older program began.
    pub made_by: Option<MadeBy>,
}

/// A place for one machine: what identifies it before it exists, and finds it again after a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Whose it is.
    pub owner: Owner,
    /// The run of the cluster that asks for it: that which made it, or one of those that have changed it since.
    pub run: RunId,
    /// Its generation that does.
    pub generation: Generation,
    /// How often the machine that filled it was lost within that generation: each further one is another machine.
    pub round: u32,
    /// What it is for.
    pub role: Role,
    /// Its number within the role, from 1.
    pub index: u16,
}

impl Slot {
    /// What tells the machines of one place from one another, as `2`; of another run than that which made the cluster, and counts its own
    /// generations, as `2-k3f9x2ab`.
    pub fn asked_by(&self) -> String {
        match self.run == self.owner.run {
            true => self.generation.to_string(),
            false => format!("{}-{}", self.generation, short(self.run)),
        }
    }

    /// The host name of its machine.
    pub fn node_name(&self) -> String {
        self.role.node_name(&self.owner.cluster, self.index)
    }
}

/// The end of a run's id, which is random; its beginning is the time.
pub(super) fn short(run: RunId) -> String {
    run.to_string().split_off(18)
}
