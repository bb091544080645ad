//! `zookeeper-start` (notes 2.19): every ZooKeeper has its number and belongs to the quorum.
//!
//! - Changes: `myid` in the data folder; the daemon runs under systemd. The number is the run's own: what lies in
//!   `/tmp/zookeeper` may be anybody's, and is for others to read.
//! - Twice is safe: a server that runs with the deployed configuration and belongs to a quorum is kept.
//! - Not undone.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::mounts::ON_DISK;
use crate::world::{Script, World};
use crate::zookeeper;

/// The others may start later: their JVMs take seconds each.
const QUORUM_LIMIT: Duration = Duration::from_secs(120);

const NUMBER: &str = shell!("zookeeper-number.sh");

const IS_NUMBERED: &str = r#"[ "$(cat /var/lib/mesosflow-zookeeper/myid 2>/dev/null)" = "$id" ] || exit 1"#;

/// One server.
#[derive(Debug, Serialize)]
pub struct ZookeeperStart {
    /// Its node; its number is the index.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
    /// Digest of the rendered tree, which holds `zoo.cfg`: another tree is another input.
    pub tree: String,
}

impl ZookeeperStart {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("zookeeper-start");

    /// Whether the number is there, which a running server has read and needs again at its next start.
    async fn is_numbered(&self, cx: &StepCx<World>) -> Result<bool, ActError> {
        let look = Script::new("look at myid", IS_NUMBERED).var("id", self.node.index);
        Ok(cx.world().ask(&self.node, look).await?)
    }
}

impl Step for ZookeeperStart {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        let current = zookeeper::SERVER.is_current(cx.world(), &self.node).await?;
        let done = current
            && self.is_numbered(cx).await?
            && zookeeper::mode(cx.world(), &self.node).await?.is_some();
        Ok(Probe::done_if(done))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let (world, server) = (cx.world(), zookeeper::SERVER);
        if self.is_numbered(cx).await? {
            return Ok(server.ensure(world, &self.node).await?);
        }
        let number = Script::new("write myid", NUMBER).before(ON_DISK);
        world.run(&self.node, number.var("id", self.node.index)).await?;
        Ok(server.restart(world, &self.node).await?)
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        let (world, what) = (cx.world(), "waiting for a ZooKeeper quorum");
        match world
            .wait_until(&self.node, QUORUM_LIMIT, what, zookeeper::mode_script(&self.node))
            .await
        {
            Ok(()) => Ok(()),
            Err(error) => Err(zookeeper::SERVER.explain(world, &self.node, error).await),
        }
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(300))
    }
}
