//! `hdfs-recommission`, `persistent-hdfs-recommission`: datanodes that were to leave a file system, or have left it, are in service again.
//!
//! - Changes: mesosflow's lines for them in the list of datanodes that leave go. A line of the operator's stays, and what it says holds.
//! - Twice is safe. A datanode that does not run is only kept out no more; a namenode that does not run reads the list when it starts.
//! - Undone by `hdfs-decommission`.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::hdfs::{Hdfs, InService};
use crate::world::World;

/// The return.
#[derive(Debug, Serialize)]
pub struct Recommission {
    /// To which file system.
    #[serde(skip)]
    pub hdfs: Hdfs,
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub namenode: Node,
    /// Those that stay after all.
    #[serde(serialize_with = "input::nodes")]
    pub nodes: Vec<Node>,
}

impl Recommission {
    /// Its id in the catalogue.
    pub const fn id_of(hdfs: Hdfs) -> StepId {
        StepId::from_static(match hdfs {
            Hdfs::Ephemeral => "hdfs-recommission",
            Hdfs::Persistent => "persistent-hdfs-recommission",
        })
    }

    /// One that is still kept out, and by whom.
    async fn out(&self, world: &World) -> Result<Option<String>, ActError> {
        let list = self.hdfs.excluded(world, &self.namenode).await?;
        if let Some(node) = self.nodes.iter().find(|node| list.lists_as_ours(node)) {
            return Ok(Some(format!("{} is on the list of those that leave", node.name)));
        }
        let Ok(view) = self.hdfs.view_if_any(world, &self.namenode).await? else {
            return Ok(None);
        };
        let is_out = |node: &&Node| {
            let service = view.service_of(node);
            service.is_some_and(|service| service != InService::Yes) && !list.lists(node)
        };
        let out = self.nodes.iter().find(is_out);
        Ok(out.map(|node| format!("{} is not in service again", node.name)))
    }
}

impl Step for Recommission {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::id_of(self.hdfs)
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(Probe::done_if(self.out(cx.world()).await?.is_none()))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let world = cx.world();
        self.hdfs.readmit(world, &self.namenode, &self.nodes).await
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        match self.out(cx.world()).await? {
            None => Ok(()),
            Some(what) => Err(ActError::not_yet(format!(
                "the {} HDFS: {what}",
                self.hdfs.as_str()
            ))),
        }
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(400))
    }
}
