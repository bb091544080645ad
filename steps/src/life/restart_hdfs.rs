//! `restart-namenode`, `restart-datanodes` of each HDFS: a daemon that runs with another configuration than the one that lies on its
//! node is started anew.
//!
//! - Changes: the daemon, where its unit or its configuration is another; one that its node never had is left to `hdfs-start`. While a
//!   namenode starts, its file system is away. A datanode's item ends once its namenode hears of it again and misses no more than before.
//! - Twice is safe: what runs as it should is left so.
//! - Not undone, but by the same with the configuration of before.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Retry, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::hdfs::Hdfs;
use crate::world::World;

const DEADLINE: Duration = Duration::from_secs(600);

/// One daemon.
#[derive(Debug, Serialize)]
pub struct RestartHdfs {
    /// Whose.
    #[serde(skip)]
    pub hdfs: Hdfs,
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub namenode: Node,
    /// The slave of a datanode; none of the namenode itself.
    #[serde(serialize_with = "input::node_if_any")]
    pub datanode: Option<Node>,
    /// Digest of the rendered tree, which holds its configuration: another tree is another input.
    pub tree: String,
}

impl RestartHdfs {
    /// Its id in the catalogue, of the namenode.
    pub const fn namenode_of(hdfs: Hdfs) -> StepId {
        StepId::from_static(match hdfs {
            Hdfs::Ephemeral => "restart-namenode",
            Hdfs::Persistent => "persistent-restart-namenode",
        })
    }

    /// The same of the datanodes.
    pub const fn datanodes_of(hdfs: Hdfs) -> StepId {
        StepId::from_static(match hdfs {
            Hdfs::Ephemeral => "restart-datanodes",
            Hdfs::Persistent => "persistent-restart-datanodes",
        })
    }

    async fn is_well(&self, world: &World) -> Result<bool, ActError> {
        let node = self.datanode.as_ref();
        self.hdfs.is_well(world, &self.namenode, node).await
    }
}

impl Step for RestartHdfs {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        match self.datanode {
            None => Self::namenode_of(self.hdfs),
            Some(_) => Self::datanodes_of(self.hdfs),
        }
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(Probe::done_if(self.is_well(cx.world()).await?))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let node = self.datanode.as_ref();
        self.hdfs.start_anew(cx.world(), &self.namenode, node).await
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        if self.is_well(cx.world()).await? {
            return Ok(());
        }
        let node = self.datanode.as_ref().unwrap_or(&self.namenode);
        Err(ActError::not_yet(format!(
            "the {} HDFS lost {} right after its start",
            self.hdfs.as_str(),
            node.name
        )))
    }

    /// In the middle of a node is no good place to stop at.
    fn grace(&self) -> Option<Duration> {
        Some(DEADLINE)
    }

    fn limits(&self) -> Limits {
        Limits {
            deadline: DEADLINE,
            retry: Retry {
                attempts: 2,
                ..Retry::STANDARD
            },
        }
    }
}
