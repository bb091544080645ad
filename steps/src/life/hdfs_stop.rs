//! `hdfs-stop`, `persistent-hdfs-stop`: no daemon of that file system runs, and none comes back with a boot.
//!
//! - Changes: datanodes are stopped, then the namenode. What is on their disks stays.
//! - Twice is safe.
//! - Undone by `hdfs-start` and `persistent-hdfs-start`.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::hdfs::Hdfs;
use crate::world::World;

/// The stop of one of them.
#[derive(Debug, Serialize)]
pub struct HdfsStop {
    /// Which of both.
    #[serde(skip)]
    pub hdfs: Hdfs,
    /// The first master; none where it does not run.
    #[serde(serialize_with = "input::node_if_any")]
    pub namenode: Option<Node>,
    /// The slaves that run.
    #[serde(serialize_with = "input::nodes")]
    pub slaves: Vec<Node>,
}

impl HdfsStop {
    /// Its id in the catalogue.
    pub const fn id_of(hdfs: Hdfs) -> StepId {
        StepId::from_static(match hdfs {
            Hdfs::Ephemeral => "hdfs-stop",
            Hdfs::Persistent => "persistent-hdfs-stop",
        })
    }
}

impl Step for HdfsStop {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::id_of(self.hdfs)
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        let stopped = self
            .hdfs
            .is_retired(cx.world(), self.namenode.as_ref(), &self.slaves);
        Ok(Probe::done_if(stopped.await?))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        Ok(self
            .hdfs
            .retire(cx.world(), self.namenode.as_ref(), &self.slaves)
            .await?)
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        match self.probe(cx).await? {
            Probe::Done(()) => Ok(()),
            Probe::NotDone => Err(ActError::not_yet(format!(
                "a daemon of the {} HDFS still runs after its stop",
                self.hdfs.as_str()
            ))),
        }
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(400))
    }
}
