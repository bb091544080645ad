//! `hdfs-forget`, `persistent-hdfs-forget`: datanodes whose machines are gone, or whose daemons are stopped for good, are on no list any
//! more: otherwise none could ever join at their addresses.
//!
//! - Changes: mesosflow's lines for them in the list of datanodes that leave go, once the namenode does not believe in them any more (a
//!   minute and three quarters after it has last heard of one): before, it would send readers and writers to them again. Until it starts the next time it counts
//!   them among the dead. HDFS has no other way, but lists of all that may join.
//! - Twice is safe.
//! - Nothing to undo.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;
use tokio::time::Instant;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::hdfs::Hdfs;
use crate::world::World;

/// A namenode calls one dead 90 to 120 seconds after it has last heard of it (hdfs-site.xml), one with Hadoop's own settings after ten
/// and a half minutes.
const DEAD_AFTER: Duration = Duration::from_secs(11 * 60);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is forgotten.
#[derive(Debug, Serialize)]
pub struct ForgetDatanodes {
    /// By which file system.
    #[serde(skip)]
    pub hdfs: Hdfs,
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub namenode: Node,
    /// Those that are gone.
    #[serde(serialize_with = "input::nodes")]
    pub gone: Vec<Node>,
}

impl ForgetDatanodes {
    /// Its id in the catalogue.
    pub const fn id_of(hdfs: Hdfs) -> StepId {
        StepId::from_static(match hdfs {
            Hdfs::Ephemeral => "hdfs-forget",
            Hdfs::Persistent => "persistent-hdfs-forget",
        })
    }

    async fn is_forgotten(&self, world: &World) -> Result<bool, ActError> {
        let list = self.hdfs.excluded(world, &self.namenode).await?;
        Ok(!self.gone.iter().any(|node| list.lists_as_ours(node)))
    }

    /// Waits until the namenode believes in none of them. One that does not run believes in nobody.
    async fn wait(&self, world: &World) -> Result<(), ActError> {
        let give_up = Instant::now() + DEAD_AFTER;
        loop {
            let Ok(view) = self.hdfs.view_if_any(world, &self.namenode).await? else {
                return Ok(());
            };
            let believed = self.gone.iter().find(|node| view.service_of(node).is_some());
            let Some(node) = believed else {
                return Ok(());
            };
            let what = format!(
                "the {} namenode still hears of {}'s datanode",
                self.hdfs.as_str(),
                node.name
            );
            if Instant::now() >= give_up {
                return Err(ActError::wrong(what).hinted("stop that datanode, then `mesosflow resume`"));
            }
            world.wait_for(Some(what));
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl Step for ForgetDatanodes {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::id_of(self.hdfs)
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(Probe::done_if(self.is_forgotten(cx.world()).await?))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let world = cx.world();
        let waited = self.wait(world).await;
        world.wait_for(None);
        waited?;
        self.hdfs.readmit(world, &self.namenode, &self.gone).await
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        match self.is_forgotten(cx.world()).await? {
            true => Ok(()),
            false => Err(ActError::not_yet(format!(
                "the {} HDFS still has a datanode that is gone on its list",
                self.hdfs.as_str()
            ))),
        }
    }

    fn limits(&self) -> Limits {
        Limits::within(DEAD_AFTER + Duration::from_secs(120))
    }
}
