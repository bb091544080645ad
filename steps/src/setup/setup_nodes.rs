//! `setup-nodes` (notes 2.10): disks, folders, swap and software on every other node.
//!
//! - Changes: blank disks are formatted once and mounted (`nofail`), the folders of Hadoop and Mesos are made, swap is on;
//!   where `hosts.firewall` asks for it, strangers are kept from the cluster's ports;
//!   Hadoop, Spark and ZooKeeper are copied from the first master, where the image does not have them.
//! - Twice is safe: each part is looked for first; a disk that holds anything is never formatted. A copy counts once it is
//!   whole.
//! - Not undone but for the firewall, which `destroy` takes away; the disks go with the machines.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::Node;
use crate::node_setup::NodeSetup;
use crate::software::Software;
use crate::world::World;

/// The set-up of one other node.
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
    /// The set-up of a node that gets its software from `hub`.
    pub fn new(hub: &Node, setup: NodeSetup) -> Self {
        let software = Software::from_hub(hub.clone(), setup.node.clone());
        Self { setup, software }
    }
}

impl Step for SetupNode {
    type World = World;
    type Output = ();
    type Error = ActError;

    const ID: StepId = StepId::from_static("setup-nodes");

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        let world = cx.world();
        let done = self.setup.is_done(world).await? && self.software.is_ready(world).await?;
        Ok(if done { Probe::Done(()) } else { Probe::NotDone })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        self.setup.make(cx.world()).await?;
        self.software.make(cx.world(), cx.effect_key()).await
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        self.setup.verify(cx.world()).await?;
        self.software.verify(cx.world()).await
    }

    fn limits(&self) -> Limits {
        // Four copies of at most five minutes each come to the disks and the swap.
        Limits::within(Duration::from_secs(900 + 1200))
    }
}
