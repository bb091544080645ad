//! `setup-master`, `setup-nodes` (notes 2.5, 2.10): disks, folders, swap and software, on the first master, then on every other node.
//!
//! - Changes: blank disks are formatted once and mounted (`nofail`), the folders of Hadoop and Mesos are made, swap is on;
//!   where `hosts.firewall` asks for it, strangers are kept from the cluster's ports;
//!   Hadoop, Spark and ZooKeeper are downloaded and laid out on the first master and copied from there, where the image does not
//!   have them.
//! - Twice is safe: each part is looked for first; a disk that holds anything is never formatted. The download is a durable
//!   job, and what it gives takes its place as a whole. A copy counts once it is whole.
//! - Not undone but for the firewall, which `destroy` takes away; the disks go with the machines.

use std::time::Duration;

use mesosflow_workflow::{Effect, Limits, Probe, Settled, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{ClusterSpec, Node};
use crate::node_setup::NodeSetup;
use crate::software::{LAY_OUT_LIMIT, Software};
use crate::world::World;

/// Four copies of at most five minutes each.
const COPIES_LIMIT: Duration = Duration::from_secs(1200);

/// The set-up of one node.
#[derive(Debug, Serialize)]
pub struct SetupNode {
    /// Its disks, folders and swap.
    #[serde(flatten)]
    pub setup: NodeSetup,
    /// Its Hadoop, Spark and ZooKeeper.
    #[serde(flatten)]
    pub software: Software,
}

impl SetupNode {
    /// The step that sets up the first master.
    pub const MASTER: StepId = StepId::from_static("setup-master");
    /// The step that sets up all the others.
    pub const NODES: StepId = StepId::from_static("setup-nodes");

    /// The set-up of a node of a cluster that gets its software from `hub`.
    pub fn of(spec: &ClusterSpec, hub: &Node, setup: NodeSetup) -> Self {
        let software = Software::from_hub(spec, hub.clone(), setup.node.clone());
        Self { setup, software }
    }

    /// The set-up of the first master; `others` are the nodes beside it.
    pub fn first(spec: &ClusterSpec, setup: NodeSetup, others: Vec<Node>) -> Self {
        let software = Software::first(spec, setup.node.clone(), others);
        Self { setup, software }
    }
}

impl Step for SetupNode {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        if self.software.is_first() {
            Self::MASTER
        } else {
            Self::NODES
        }
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        let world = cx.world();
        let done = self.setup.is_done(world).await? && self.software.is_ready(world).await?;
        Ok(Probe::done_if(done))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        self.setup.make(cx.world()).await?;
        self.software.make(cx.world(), cx.effect_key()).await
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        self.setup.verify(cx.world()).await?;
        self.software.verify(cx.world()).await
    }

    async fn settle(&self, cx: &StepCx<World>, effect: &Effect) -> Result<Settled, ActError> {
        Ok(World::settle(cx, &self.setup.node, effect, Software::LIMITS).await?)
    }

    fn limits(&self) -> Limits {
        let software = match self.software.is_first() {
            true => LAY_OUT_LIMIT,
            false => COPIES_LIMIT,
        };
        Limits::within(Duration::from_secs(900) + software)
    }
}
