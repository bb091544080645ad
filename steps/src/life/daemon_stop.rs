//! `zookeeper-stop`, `nfs-stop`, `checkpoints-stop`: the daemon of that name does not run on a node, and does not come back with a boot.
//!
//! - Changes: the daemon is stopped. What it keeps or serves stays. An NFS server of the kernel is the system's, and goes on.
//! - Twice is safe.
//! - Undone by `zookeeper-start`, `nfs-export` and `persistent-hdfs-start`.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::hdfs::SECONDARY;
use crate::service::Service;
use crate::setup::NFS_SERVER;
use crate::world::World;
use crate::zookeeper::SERVER;

/// Which daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Daemon {
    /// A server of the quorum.
    Zookeeper,
    /// The first master's server of the shared volume, where it is the cluster's own.
    Nfs,
    /// The second master's secondary namenode of the persistent HDFS.
    Checkpoints,
}

/// The stop of one of them.
#[derive(Debug, Serialize)]
pub struct DaemonStop {
    /// Which one.
    #[serde(skip)]
    pub daemon: Daemon,
    /// The node that it runs on.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
}

impl DaemonStop {
    /// Its id in the catalogue.
    pub const fn id_of(daemon: Daemon) -> StepId {
        StepId::from_static(match daemon {
            Daemon::Zookeeper => "zookeeper-stop",
            Daemon::Nfs => "nfs-stop",
            Daemon::Checkpoints => "checkpoints-stop",
        })
    }

    const fn service(&self) -> Service {
        match self.daemon {
            Daemon::Zookeeper => SERVER,
            Daemon::Nfs => NFS_SERVER,
            Daemon::Checkpoints => SECONDARY,
        }
    }
}

impl Step for DaemonStop {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::id_of(self.daemon)
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        let daemon = self.service();
        Ok(Probe::done_if(daemon.is_retired(cx.world(), &self.node).await?))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let daemon = self.service();
        Ok(daemon.retire(cx.world(), &self.node).await?)
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        let daemon = self.service();
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
