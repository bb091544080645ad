//! `sanity-check` (notes 1.2): refuses to build where somebody else lives.
//!
//! - Changes nothing, but for rules that `security-groups` would not add to a group in which somebody else lived.
//! - Twice is safe: it looks, and adds only what is missing.
//! - Those rules go with `destroy`.

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::Serialize;

use super::groups;
use crate::act::ActError;
use crate::provider::Stranger;
use crate::world::World;

/// Whether the cluster's groups are free of machines that are not this run's.
#[derive(Debug, Serialize)]
pub struct SanityCheck {
    /// The cluster's name.
    pub cluster: String,
}

impl SanityCheck {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("sanity-check");

    /// Nobody else is there (any more): what had to wait for that is done now.
    async fn complete(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let (provider, owner) = (cx.world().provider(), cx.world().owner());
        match provider.launcher() {
            Some(launcher) if launcher.find_groups(owner).await?.is_none() => {
                groups::ensure(cx).await.map(drop)
            }
            _ => Ok(()),
        }
    }
}

impl Step for SanityCheck {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let strangers = cx.world().provider().strangers(cx.world().owner()).await?;
        let is_adopted = |stranger: &&Stranger| cx.world().spec().is_adopted(&stranger.id);
        let strangers = strangers.iter().filter(|stranger| !is_adopted(stranger));
        let strangers: Vec<_> = strangers.map(ToString::to_string).collect();
        if strangers.is_empty() {
            return self.complete(cx).await;
        }
        let what = format!(
            "cluster {} has machines that are not this run's: {}",
            self.cluster,
            strangers.join(", ")
        );
        Err(ActError::wrong(what).hinted(
            "destroy the run that made them (its journal knows it), or end them, or `mesosflow adopt` those that joined by \
             themselves, then resume; or choose another --cluster",
        ))
    }

    async fn verify(&self, _cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        Ok(())
    }
}
