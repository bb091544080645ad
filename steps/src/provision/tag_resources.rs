//! `tag-resources`: everything of the cluster carries the tags that its configuration has by now.
//!
//! - Changes: the user's own tags of machines, disks, groups, rules and requests. mesosflow's stay as they are.
//! - Twice is safe.
//! - Undone by the same with the tags of before.

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::provider::UserTags;
use crate::world::World;

/// The tags.
#[derive(Debug, Serialize)]
pub struct TagResources {
    /// What they are to be.
    #[serde(flatten)]
    pub tags: UserTags,
}

impl TagResources {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("tag-resources");

    async fn is_done(&self, cx: &StepCx<World>) -> Result<bool, ActError> {
        let world = cx.world();
        Ok(world.provider().is_retagged(world.owner(), &self.tags).await?)
    }
}

impl Step for TagResources {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(Probe::done_if(self.is_done(cx).await?))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let world = cx.world();
        world.guard().await?;
        Ok(world.provider().retag(world.owner(), &self.tags).await?)
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        match self.is_done(cx).await? {
            true => Ok(()),
            false => Err(ActError::not_yet("EC2 does not show the new tags yet")),
        }
    }
}
