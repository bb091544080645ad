//! `find-resources`: what there is of a cluster, by the histories of its runs and by the tags on what they made.
//!
//! - Changes: nothing.
//! - Twice is safe. What comes to exist later is found by `see-gone`.

use mesosflow_workflow::{Effect, Probe, Resource, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::destroy::gather;
use crate::in_doubt::InDoubt;
use crate::world::World;

/// The step.
#[derive(Debug, Serialize)]
pub struct FindResources {
    /// What exists by the histories.
    pub known: Vec<Resource>,
    /// Effects in doubt.
    pub effects: Vec<Effect>,
}

impl FindResources {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("find-resources");
}

impl Step for FindResources {
    type World = World;
    type Output = Vec<Resource>;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<Self::Output>, ActError> {
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Vec<Resource>, ActError> {
        let settle_time = cx.world().provider().settle_time();
        let mut doubts = InDoubt::of(self.effects.iter().cloned(), settle_time);
        Ok(gather(cx.world(), &mut doubts, &[], self.known.clone()).await?)
    }

    async fn verify(&self, _cx: &StepCx<World>, _found: &Vec<Resource>) -> Result<(), ActError> {
        Ok(())
    }
}
