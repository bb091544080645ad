//! `distribute-hdfs-config` (notes 2.11): the configuration of both HDFS on every other node.
//!
//! - Changes: the folders on the node become what they are on the first master; those that mesosflow did not put there are moved aside.
//! - Twice is safe: rsync moves what differs.
//! - Not undone.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::Node;
use crate::hub;
use crate::world::World;

/// One copy of both configurations.
#[derive(Debug, Serialize)]
pub struct DistributeHdfsConfig {
    /// The first master.
    pub hub: Node,
    /// The node that gets them.
    pub node: Node,
    /// Digest of the rendered tree: another tree is another input.
    pub tree: String,
}

impl Step for DistributeHdfsConfig {
    type World = World;
    type Output = ();
    type Error = ActError;

    const ID: StepId = StepId::from_static("distribute-hdfs-config");

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        let equal = hub::are_equal(cx.world(), &self.hub, &self.node, &hub::HDFS_CONF).await?;
        Ok(if equal { Probe::Done(()) } else { Probe::NotDone })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        for folder in hub::HDFS_CONF {
            hub::copy(cx.world(), &self.hub, &self.node, folder).await?;
        }
        Ok(())
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        if hub::are_equal(cx.world(), &self.hub, &self.node, &hub::HDFS_CONF).await? {
            return Ok(());
        }
        Err(ActError::not_yet(format!(
            "{} does not have what the first master has",
            self.node.name
        )))
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(600))
    }
}
