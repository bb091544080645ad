//! `persistent-hdfs-start` (notes 2.18): the persistent HDFS runs: its namenode, and a datanode on every slave.
//!
//! - Changes: the daemons run under systemd, also after a reboot.
//! - Twice is safe: what runs with the deployed configuration is kept.
//! - Undone by formatting, which stops them.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::Node;
use crate::hdfs::{Formatted, Hdfs};
use crate::world::World;

/// What is started.
#[derive(Debug, Serialize)]
pub struct PersistentHdfsStart {
    /// The first master.
    pub namenode: Node,
    /// The slaves.
    pub slaves: Vec<Node>,
    /// The file system that has to be served.
    pub formatted: Formatted,
}

impl PersistentHdfsStart {
    async fn is_live(&self, cx: &StepCx<World>) -> Result<bool, ActError> {
        Ok(Hdfs::Persistent
            .is_live(cx.world(), &self.namenode, &self.slaves, &self.formatted)
            .await?)
    }
}

impl Step for PersistentHdfsStart {
    type World = World;
    type Output = ();
    type Error = ActError;

    const ID: StepId = StepId::from_static("persistent-hdfs-start");

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(if self.is_live(cx).await? {
            Probe::Done(())
        } else {
            Probe::NotDone
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        Hdfs::Persistent
            .start(cx.world(), &self.namenode, &self.slaves, &self.formatted)
            .await
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        if self.is_live(cx).await? {
            return Ok(());
        }
        Err(ActError::not_yet(
            "the persistent HDFS lost a datanode right after its start",
        ))
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(600))
    }
}
