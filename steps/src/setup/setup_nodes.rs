//! `setup-nodes` (notes 2.10): disks, folders and swap on every other node.
//!
//! - Changes: blank disks are formatted once and mounted (`nofail`), the folders of Hadoop and Mesos are made, swap is on.
//! - Twice is safe: each part is looked for first; a disk that holds anything is never formatted.
//! - Not undone; the disks go with the machines.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::node_setup::NodeSetup;
use crate::world::World;

/// The set-up of one other node.
#[derive(Debug, Serialize)]
pub struct SetupNode(pub NodeSetup);

impl Step for SetupNode {
    type World = World;
    type Output = ();
    type Error = ActError;

    const ID: StepId = StepId::from_static("setup-nodes");

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(if self.0.is_done(cx.world()).await? {
            Probe::Done(())
        } else {
            Probe::NotDone
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        self.0.make(cx.world()).await
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        self.0.verify(cx.world()).await
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(900))
    }
}
