//! `hdfs-stop`, `persistent-hdfs-stop`: no daemon of that file system runs, and none comes back with a boot.
//!
//! - Changes: datanodes are stopped, then the namenode. What is on their disks stays.
//! - Twice is safe.
//! - Undone by `hdfs-start` and `persistent-hdfs-start`.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::Node;
use crate::hdfs::Hdfs;
use crate::world::World;

/// The step that stops each file system.
const STEPS: [&str; 2] = ["hdfs-stop", "persistent-hdfs-stop"];
const FILE_SYSTEMS: [Hdfs; 2] = [Hdfs::Ephemeral, Hdfs::Persistent];

/// The ephemeral one.
pub type HdfsStop = StopHdfs<0>;
/// The persistent one.
pub type PersistentHdfsStop = StopHdfs<1>;

/// The stop of the file system with that number.
#[derive(Debug, Serialize)]
pub struct StopHdfs<const WHICH: usize> {
    /// The first master; none where it does not run.
    pub namenode: Option<Node>,
    /// The slaves that run.
    pub slaves: Vec<Node>,
}

impl<const WHICH: usize> Step for StopHdfs<WHICH> {
    type World = World;
    type Output = ();
    type Error = ActError;

    const ID: StepId = StepId::from_static(STEPS[WHICH]);

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        let hdfs = FILE_SYSTEMS[WHICH];
        let stopped = hdfs.is_retired(cx.world(), self.namenode.as_ref(), &self.slaves);
        Ok(match stopped.await? {
            true => Probe::Done(()),
            false => Probe::NotDone,
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let hdfs = FILE_SYSTEMS[WHICH];
        Ok(hdfs
            .retire(cx.world(), self.namenode.as_ref(), &self.slaves)
            .await?)
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        match self.probe(cx).await? {
            Probe::Done(()) => Ok(()),
            Probe::NotDone => Err(ActError::not_yet(format!(
                "a daemon of the {} HDFS still runs after its stop",
                FILE_SYSTEMS[WHICH].as_str()
            ))),
        }
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(400))
    }
}
