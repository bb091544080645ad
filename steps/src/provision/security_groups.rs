//! `security-groups` (notes 1.1): what may reach the nodes.
//!
//! - Changes: three groups for masters, slaves and ZooKeepers, or the one network that a local cluster has instead. Rules
//!   that it added for administrators' addresses which count no more go.
//! - Twice is safe: groups are found by their names and tags, and only what is missing is made.
//! - Undone by `destroy`, after the nodes.

use mesosflow_workflow::{Probe, Resource, Step, StepCx, StepId};
use serde::Serialize;

use super::groups;
use crate::act::ActError;
use crate::makers::refuse_stranger;
use crate::provider::Groups;
use crate::world::World;

/// Rules that stand for themselves, in the journal's words.
const RULE: &str = "security-group-rule";
/// EC2's groups, in the journal's words: one that was lost is another one when it is made anew.
const GROUP: &str = "security-group";

/// The groups of a cluster.
#[derive(Debug, Serialize)]
pub struct SecurityGroups {
    /// The cluster's name.
    pub cluster: String,
}

impl SecurityGroups {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("security-groups");
}

impl Step for SecurityGroups {
    type World = World;
    type Output = Groups;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Groups>, ActError> {
        // Not by the probe alone: groups that a crash left unrecorded have to reach the journal.
        let known = cx.resources();
        let owned = cx.world().provider().owned(cx.world().owner()).await?;
        if owned.iter().any(|resource| !known.contains(resource)) {
            return Ok(Probe::NotDone);
        }
        let found = cx.world().provider().find_groups(cx.world().owner()).await?;
        Ok(found.map_or(Probe::NotDone, Probe::Done))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Groups, ActError> {
        let (provider, owner) = (cx.world().provider(), cx.world().owner());
        refuse_other_makers(cx.world()).await?;
        for left in provider.owned(owner).await? {
            cx.created(left).await?;
        }
        let groups = groups::ensure(cx).await?;
        // A rule of an older spec that stood in somebody else's group has been taken away, and a group may have gone by itself.
        let left = provider.owned(owner).await?;
        let counts = |known: &Resource| groups.by_role.values().any(|id| *id == known.id);
        for known in cx.resources() {
            let is_door = known.kind == RULE || known.kind == GROUP && !counts(&known);
            if is_door && !left.contains(&known) {
                cx.deleted(known).await?;
            }
        }
        for rule in &groups.foreign {
            tracing::warn!(target: "mesosflow::progress", "left as it is, and not mesosflow's: {rule}");
        }
        Ok(groups)
    }

    async fn verify(&self, cx: &StepCx<World>, groups: &Groups) -> Result<(), ActError> {
        match cx.world().provider().find_groups(cx.world().owner()).await? {
            Some(found) if found == *groups => Ok(()),
            _ => Err(ActError::not_yet(format!(
                "the groups of {} are not as they were made",
                self.cluster
            ))),
        }
    }
}

/// What a driver has made that this journal does not know is not this run's: neither is it recorded, nor its doors touched.
async fn refuse_other_makers(world: &World) -> Result<(), ActError> {
    let mut makers = world.makers().await?.into_iter();
    makers.try_for_each(|maker| refuse_stranger("something", Some(maker), |driver| world.knows(driver)))
}
