//! `see-registry`: a master that began anew has its copy of the registry: until then it does not count for the quorum.
//!
//! - Changes: nothing.
//! - Twice is safe.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;
use tokio::time::Instant;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::mesos::{self, MASTER};
use crate::world::World;

/// What it has to catch up with are megabytes.
const LIMIT: Duration = Duration::from_secs(240);
const LOOK_EVERY: Duration = Duration::from_millis(500);

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
        let lacks = mesos::registry_lacks(cx.world(), &self.node).await?;
        Ok(Probe::done_if(lacks.is_none()))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let (world, begun) = (cx.world(), Instant::now());
        while let Some(lacks) = mesos::registry_lacks(world, &self.node).await? {
            if begun.elapsed() >= LIMIT {
                let what = format!(
                    "{}: its master {lacks} after {} s",
                    self.node.name,
                    LIMIT.as_secs()
                );
                return Err(MASTER.explain(world, &self.node, ActError::not_yet(what)).await);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    async fn verify(&self, _cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits::within(LIMIT + Duration::from_secs(60))
    }
}
