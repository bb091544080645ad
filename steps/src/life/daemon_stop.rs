//! `zookeeper-stop`, `nfs-stop`: the daemon of that name does not run on a node, and does not come back with a boot.
//!
//! - Changes: the daemon is stopped. What it keeps or serves stays. An NFS server of the kernel is the system's, and goes on.
//! - Twice is safe.
//! - Undone by `zookeeper-start` and `nfs-export`.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::Node;
use crate::service::Service;
use crate::setup::NFS_SERVER;
use crate::world::World;
use crate::zookeeper::SERVER;

/// The step that stops each daemon.
const STEPS: [(&str, Service); 2] = [("zookeeper-stop", SERVER), ("nfs-stop", NFS_SERVER)];

/// A server of the quorum.
pub type ZookeeperStop = StopDaemon<0>;
/// The first master's server of the shared volume, where it is the cluster's own.
pub type NfsStop = StopDaemon<1>;

/// The stop of the daemon with that number.
#[derive(Debug, Serialize)]
pub struct StopDaemon<const WHICH: usize> {
    /// The node that it runs on.
    pub node: Node,
}

impl<const WHICH: usize> Step for StopDaemon<WHICH> {
    type World = World;
    type Output = ();
    type Error = ActError;

    const ID: StepId = StepId::from_static(STEPS[WHICH].0);

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        let (_, daemon) = STEPS[WHICH];
        Ok(match daemon.is_retired(cx.world(), &self.node).await? {
            true => Probe::Done(()),
            false => Probe::NotDone,
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let (_, daemon) = STEPS[WHICH];
        Ok(daemon.retire(cx.world(), &self.node).await?)
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        let (_, daemon) = STEPS[WHICH];
        match daemon.is_retired(cx.world(), &self.node).await? {
            true => Ok(()),
            false => Err(ActError::not_yet(format!(
                "{} still runs after its stop",
                daemon.unit
            ))),
        }
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(240))
    }
}
