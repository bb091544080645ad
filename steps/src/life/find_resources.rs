//! `find-resources`: what there is of a cluster, by the histories of its runs and by the tags on what they made.
//!
//! - Changes: nothing.
//! - Twice is safe. What comes to exist later is found by `see-gone`.

use mesosflow_workflow::{Effect, Probe, Resource, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::in_doubt::InDoubt;
use crate::makers::refuse_stranger;
use crate::world::World;

/// The step.
#[derive(Debug, Serialize)]
pub struct FindResources {
    /// What exists by the histories.
    pub known: Vec<Resource>,
    /// Effects in doubt.
    pub effects: Vec<Effect>,
}

impl Step for FindResources {
    type World = World;
    type Output = Vec<Resource>;
    type Error = ActError;

    const ID: StepId = StepId::from_static("find-resources");

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<Self::Output>, ActError> {
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Vec<Resource>, ActError> {
        let (world, provider) = (cx.world(), cx.world().provider());
        let mut doubts = InDoubt::of(self.effects.iter().cloned(), provider.settle_time());
        let launched = doubts.look(provider, &[]).await?;
        let tagged = world.makers().await?.into_iter().map(Some);
        for maker in tagged.chain(launched.iter().map(|found| found.driver)) {
            let what = format!("a machine of cluster `{}`", world.spec().cluster);
            refuse_stranger(&what, maker, |driver| world.knows(driver))?;
        }
        let mut all = provider.owned(world.owner()).await?;
        let launched = launched.into_iter().map(|found| found.resource);
        for known in self.known.iter().cloned().chain(launched) {
            let is_it = |found: &Resource| (&found.kind, &found.id) == (&known.kind, &known.id);
            if !all.iter().any(is_it) {
                all.push(known);
            }
        }
        Ok(all)
    }

    async fn verify(&self, _cx: &StepCx<World>, _found: &Vec<Resource>) -> Result<(), ActError> {
        Ok(())
    }
}
