//! `hdfs-start`, `persistent-hdfs-start` (notes 2.17, 2.18): a file system runs: its namenode, and a datanode on every slave; of the
//! persistent one, checkpoints are made on the second master where there is one, and its first master has Spark's history server where that is
//! asked for.
//!
//! - Changes: the daemons run under systemd, also after a reboot. A datanode of a slave that some run had begun to have leave, and did not
//!   go on with, is in service again.
//! - Twice is safe: what runs with the deployed configuration is kept.
//! - Undone by formatting, which stops them.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::hdfs::{Formatted, Hdfs, are_made, have_it, have_made, is_as_asked};
use crate::world::World;

/// What is started.
#[derive(Debug, Serialize)]
pub struct HdfsStart {
    /// Which of both.
    #[serde(skip)]
    pub hdfs: Hdfs,
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub namenode: Node,
    /// The slaves.
    #[serde(serialize_with = "input::nodes")]
    pub slaves: Vec<Node>,
    /// The second master, which makes checkpoints of it.
    #[serde(
        serialize_with = "input::node_if_any",
        skip_serializing_if = "Option::is_none"
    )]
    pub second: Option<Node>,
    /// Whether the first master has Spark's history server, which reads the persistent one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_history: bool,
    /// The file system that has to be served.
    pub formatted: Formatted,
}

impl HdfsStart {
    /// Its id in the catalogue.
    pub const fn id_of(hdfs: Hdfs) -> StepId {
        StepId::from_static(match hdfs {
            Hdfs::Ephemeral => "hdfs-start",
            Hdfs::Persistent => "persistent-hdfs-start",
        })
    }

    async fn is_live(&self, cx: &StepCx<World>) -> Result<bool, ActError> {
        let world = cx.world();
        let serves = self
            .hdfs
            .is_live(world, &self.namenode, &self.slaves, &self.formatted);
        Ok(serves.await?
            && match &self.second {
                Some(second) => Box::pin(are_made(world, &self.namenode, second)).await?,
                None => true,
            }
            && (self.hdfs != Hdfs::Persistent
                || is_as_asked(world, &self.namenode, self.has_history).await?))
    }
}

impl Step for HdfsStart {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::id_of(self.hdfs)
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(Probe::done_if(self.is_live(cx).await?))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let world = cx.world();
        self.hdfs
            .start(world, &self.namenode, &self.slaves, &self.formatted)
            .await?;
        // A namenode that takes no writes yet lets nobody make a checkpoint, or a folder.
        if let Some(second) = &self.second {
            Box::pin(have_made(world, &self.namenode, second)).await?;
        }
        if self.hdfs == Hdfs::Persistent {
            have_it(world, &self.namenode, self.has_history).await?;
        }
        Ok(())
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        if self.is_live(cx).await? {
            return Ok(());
        }
        Err(ActError::not_yet(format!(
            "the {} HDFS lost a daemon right after its start",
            self.hdfs.as_str()
        )))
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(600))
    }
}
