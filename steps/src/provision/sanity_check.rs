//! `sanity-check` (notes 1.2): refuses to build where somebody else lives.
//!
//! - Changes nothing.
//! - Twice is safe: it only looks.
//! - Nothing to undo.

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::world::World;

/// Whether the cluster's groups are free of machines that are not this run's.
#[derive(Debug, Serialize)]
pub struct SanityCheck {
    /// The cluster's name.
    pub cluster: String,
}

impl Step for SanityCheck {
    type World = World;
    type Output = ();
    type Error = ActError;

    const ID: StepId = StepId::from_static("sanity-check");

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let strangers = cx.world().provider().strangers(cx.world().owner()).await?;
        if strangers.is_empty() {
            return Ok(());
        }
        let what = format!(
            "cluster {} has machines that are not this run's: {}",
            self.cluster,
            strangers.join(", ")
        );
        Err(ActError::wrong(what)
            .hinted("destroy the run that made them (its journal knows it), or choose another --cluster"))
    }

    async fn verify(&self, _cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        Ok(())
    }
}
