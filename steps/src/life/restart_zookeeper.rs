//! `restart-zookeepers`: a server that runs with another configuration than the one that lies on its node is started anew.
//!
//! - Changes: the daemon, where its unit or its configuration is another; a server that its node never had is left to `zookeeper-start`.
//!   None that serves is stopped while the others without it are no majority, and the item ends once it serves again: it is in step
//!   with who leads by then.
//! - Twice is safe: what runs as it should is left so.
//! - Not undone, but by the same with the configuration of before.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Retry, Step, StepCx, StepId};
use serde::Serialize;
use tokio::time::Instant;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::world::{World, on_each};
use crate::zookeeper::{self, SERVER};

/// A server joins within ten ticks of two seconds; its JVM takes seconds.
const QUORUM_LIMIT: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const DEADLINE: Duration = Duration::from_secs(420);

/// One server.
#[derive(Debug, Serialize)]
pub struct RestartZookeeper {
    /// Its node.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
    /// All of them.
    #[serde(serialize_with = "input::nodes")]
    pub servers: Vec<Node>,
    /// Digest of the rendered tree, which holds `zoo.cfg`: another tree is another input.
    pub tree: String,
}

impl RestartZookeeper {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("restart-zookeepers");

    /// Waits until the others are a majority without this one, unless it does not serve anyhow.
    async fn until_spared(&self, world: &World) -> Result<(), ActError> {
        let begun = Instant::now();
        while zookeeper::mode(world, &self.node).await?.is_some() {
            let others: Vec<_> = (self.servers.iter())
                .filter(|server| server.name != self.node.name)
                .collect();
            let modes = on_each(others, |server| zookeeper::mode(world, server)).await?;
            let serving = modes.iter().filter(|mode| mode.is_some()).count();
            if 2 * serving > self.servers.len() {
                return Ok(());
            }
            if begun.elapsed() >= QUORUM_LIMIT {
                return Err(ActError::not_yet(format!(
                    "{}: its ZooKeeper is not stopped, since the others are no majority without it",
                    self.node.name
                ))
                .hinted("see to the other ZooKeepers, then `mesosflow resume`"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}

impl Step for RestartZookeeper {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        let world = cx.world();
        if !SERVER.is_enabled(world, &self.node).await? {
            return Ok(Probe::Done(()));
        }
        let is_so = SERVER.is_current(world, &self.node).await?
            && zookeeper::mode(world, &self.node).await?.is_some();
        Ok(Probe::done_if(is_so))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let world = cx.world();
        if !SERVER.is_current(world, &self.node).await? {
            self.until_spared(world).await?;
            tracing::info!(target: "mesosflow::progress", "{}: {} starts anew", self.node.name, SERVER.unit);
            SERVER.restart(world, &self.node).await?;
        }
        let (what, mode) = (
            "waiting for its ZooKeeper to serve",
            zookeeper::mode_script(&self.node),
        );
        match world.wait_until(&self.node, QUORUM_LIMIT, what, mode).await {
            Ok(()) => Ok(()),
            Err(error) => Err(SERVER.explain(world, &self.node, error).await),
        }
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        match self.probe(cx).await? {
            Probe::Done(()) => Ok(()),
            Probe::NotDone => Err(ActError::not_yet(format!(
                "the ZooKeeper of {} does not serve as it should",
                self.node.name
            ))),
        }
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
