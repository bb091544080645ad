//! `delete-machines` and its like: one thing of a cluster is deleted, and seen gone.
//!
//! - Changes: deletes it, if nobody else drives the cluster by now.
//! - Twice is safe: to delete what is gone succeeds.
//! - Nothing undoes it.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Resource, Retry, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};

use crate::act::ActError;
use crate::provider::Deletion;
use crate::world::World;

/// The kinds of things, in the journal's words, each with the step that deletes it.
const KINDS: [(&str, &str); 7] = [
    ("spot-request", "cancel-spot-requests"),
    ("instance", "delete-machines"),
    ("volume", "delete-volumes"),
    ("security-group-rule", "delete-rules"),
    ("security-group", "delete-groups"),
    ("network", "delete-networks"),
    ("authorized-key", "release-hosts"),
];

/// How long the deletion of one thing may take: a hung shutdown is forced by EC2 after ten minutes.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// A thing may be held for five minutes by a machine that is seen no more; waits of up to 15 s are 7.5 s on average.
const PATIENT: Retry = Retry {
    attempts: 45,
    initial: Duration::from_secs(1),
    ceiling: Duration::from_secs(15),
};
/// Where it is known what holds it, and that it stays.
const ONCE_MORE: Retry = Retry {
    attempts: 2,
    initial: Duration::from_secs(1),
    ceiling: Duration::from_secs(1),
};

/// Spot requests are taken back.
pub type CancelSpotRequests = Delete<0>;
/// Machines end.
pub type DeleteMachines = Delete<1>;
/// Volumes go that no machine has any more.
pub type DeleteVolumes = Delete<2>;
/// Rules in groups that are somebody else's.
pub type DeleteRules = Delete<3>;
/// Groups that nothing is in any more.
pub type DeleteGroups = Delete<4>;
/// Networks that nothing is in any more.
pub type DeleteNetworks = Delete<5>;
/// The user's own machines are given back.
pub type ReleaseHosts = Delete<6>;

/// The deletion of one thing of the kind with that number.
#[derive(Debug, Serialize)]
pub struct Delete<const KIND: usize> {
    /// The thing.
    pub resource: Resource,
    /// Whether something is known to hold it that does not go.
    #[serde(skip)]
    is_held: bool,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The thing.
    pub resource: Resource,
    /// Whether it was seen gone; otherwise it is not mesosflow's, and was left alone.
    pub is_gone: bool,
}

/// Every step that deletes, in the order in which things have to go.
pub(crate) fn delete_steps() -> [StepId; KINDS.len()] {
    KINDS.map(|(_, step)| StepId::from_static(step))
}

impl<const KIND: usize> Delete<KIND> {
    /// The kind, in the journal's words.
    pub const KIND: &'static str = KINDS[KIND].0;

    /// The deletion of that thing.
    pub const fn new(resource: Resource) -> Self {
        let is_held = false;
        Self { resource, is_held }
    }

    /// The same where something may be known to hold it that does not go: it is not waited for then.
    #[must_use]
    pub fn held(self, is_held: bool) -> Self {
        Self { is_held, ..self }
    }
}

impl<const KIND: usize> Step for Delete<KIND> {
    type World = World;
    type Output = Ended;
    type Error = ActError;

    const ID: StepId = StepId::from_static(KINDS[KIND].1);

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<Ended>, ActError> {
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Ended, ActError> {
        let world = cx.world();
        world.guard().await?;
        let is_gone = match world.provider().delete(&self.resource).await? {
            Deletion::Gone => {
                world.gone(&self.resource.id);
                true
            }
            Deletion::Left => false,
            Deletion::Held(what) => return Err(ActError::not_yet(what)),
        };
        let resource = self.resource.clone();
        cx.deleted(resource.clone()).await?;
        Ok(Ended { resource, is_gone })
    }

    async fn verify(&self, _cx: &StepCx<World>, _ended: &Ended) -> Result<(), ActError> {
        // To delete is to see gone: the provider has looked.
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits {
            deadline: LIMIT,
            retry: if self.is_held { ONCE_MORE } else { PATIENT },
        }
    }
}
