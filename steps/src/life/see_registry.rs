//! `see-registry`: a master that began anew has its copy of the registry: until then it does not count for the quorum.
//!
//! - Changes: nothing.
//! - Twice is safe.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use super::well::{lacks, still_lacking};
use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::mesos::MASTER;
use crate::world::World;

/// What it has to catch up with are megabytes.
const LIMIT: Duration = Duration::from_secs(240);

/// The look.
#[derive(Debug, Serialize)]
pub struct SeeRegistry {
    /// The master's node.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
}

impl SeeRegistry {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("see-registry");
}

impl Step for SeeRegistry {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        let lacks = lacks(cx.world(), &self.node).await?;
        Ok(Probe::done_if(lacks.is_none()))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let (world, node) = (cx.world(), &self.node);
        let Some(lacks) = still_lacking(world, std::slice::from_ref(node), LIMIT).await? else {
            return Ok(());
        };
        let error = ActError::not_yet(format!("{lacks} after {} s", LIMIT.as_secs()));
        Err(MASTER.explain(world, node, error).await)
    }

    async fn verify(&self, _cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits::within(LIMIT + Duration::from_secs(60))
    }
}
