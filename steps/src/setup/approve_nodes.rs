//! `approve-nodes` (notes 2.8): the first master knows the host keys of the slaves, and once more of the others.
//!
//! - Changes: lines in the cluster's own `known_hosts` on the first master; lines of the nodes' keys in `authorized_keys`.
//! - Twice is safe: the lines of a host are replaced, never added to.
//! - Not undone; a replaced machine gets a new line.

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::Serialize;

use super::Approval;
use crate::act::ActError;
use crate::world::World;

/// One slave, other master or ZooKeeper.
#[derive(Debug, Serialize)]
pub struct ApproveNode(pub Approval);

impl Step for ApproveNode {
    type World = World;
    type Output = ();
    type Error = ActError;

    const ID: StepId = StepId::from_static("approve-nodes");

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(if self.0.is_proven(cx).await? {
            Probe::Done(())
        } else {
            Probe::NotDone
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        self.0.pin(cx).await
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        self.0.prove(cx).await
    }
}
