//! `launch-slaves` (notes 1.4): the slaves' machines.
//!
//! - Changes: one machine for each place, and none of an older generation stays in it.
//! - Twice is safe: a machine is found by run, generation, role and number; only a missing one is made.
//! - Undone by `destroy`.

use mesosflow_workflow::{Effect, Limits, Probe, Settled, Step, StepCx, StepId};
use serde::Serialize;

use super::launch::{self, Place};
use crate::act::ActError;
use crate::cluster::Instance;
use crate::world::World;

/// One slave.
#[derive(Debug, Serialize)]
pub struct LaunchSlave(pub Place);

impl Step for LaunchSlave {
    type World = World;
    type Output = Instance;
    type Error = ActError;

    const ID: StepId = StepId::from_static("launch-slaves");

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Instance>, ActError> {
        launch::probe(&self.0, cx).await
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Instance, ActError> {
        launch::apply(&self.0, cx).await
    }

    async fn verify(&self, cx: &StepCx<World>, instance: &Instance) -> Result<(), ActError> {
        launch::verify(&self.0, cx, instance).await
    }

    async fn settle(&self, cx: &StepCx<World>, effect: &Effect) -> Result<Settled, ActError> {
        launch::settle(cx, effect).await
    }

    fn limits(&self) -> Limits {
        launch::limits(&self.0)
    }
}
