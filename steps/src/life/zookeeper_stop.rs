//! `zookeeper-stop`: no ZooKeeper runs, and none comes back with a boot.
//!
//! - Changes: the daemon is stopped. What it keeps stays.
//! - Twice is safe.
//! - Undone by `zookeeper-start`.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::Node;
use crate::world::World;
use crate::zookeeper::SERVER;

/// One server.
#[derive(Debug, Serialize)]
pub struct ZookeeperStop {
    /// Its node.
    pub node: Node,
}

impl Step for ZookeeperStop {
    type World = World;
    type Output = ();
    type Error = ActError;

    const ID: StepId = StepId::from_static("zookeeper-stop");

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(match SERVER.is_retired(cx.world(), &self.node).await? {
            true => Probe::Done(()),
            false => Probe::NotDone,
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        Ok(SERVER.retire(cx.world(), &self.node).await?)
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        match SERVER.is_retired(cx.world(), &self.node).await? {
            true => Ok(()),
            false => Err(ActError::not_yet("ZooKeeper still runs after its stop")),
        }
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(240))
    }
}
