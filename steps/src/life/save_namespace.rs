//! `hdfs-save`, `persistent-hdfs-save`: all that a namenode knows is in one image on its disk, and it takes no writes any more.
//!
//! - Changes: the namenode is in safe mode, and has written an image.
//! - Twice is safe.
//! - Undone by its next start.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::hdfs::Hdfs;
use crate::world::World;

/// A large image is written at some 10 MB/s.
const LIMIT: Duration = Duration::from_secs(3600);

/// The saving.
#[derive(Debug, Serialize)]
pub struct SaveNamespace {
    /// Of which file system.
    #[serde(skip)]
    pub hdfs: Hdfs,
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub namenode: Node,
}

impl SaveNamespace {
    /// Its id in the catalogue.
    pub const fn id_of(hdfs: Hdfs) -> StepId {
        StepId::from_static(match hdfs {
            Hdfs::Ephemeral => "hdfs-save",
            Hdfs::Persistent => "persistent-hdfs-save",
        })
    }
}

impl Step for SaveNamespace {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::id_of(self.hdfs)
    }

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        self.hdfs.save(cx.world(), &self.namenode, LIMIT).await
    }

    async fn verify(&self, _cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        // The namenode says that it has written it, and nothing else writes.
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits::within(LIMIT + Duration::from_secs(300))
    }
}
