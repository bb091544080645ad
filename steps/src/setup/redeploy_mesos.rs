//! `redeploy-mesos` (notes 2.14): Mesos, as it stands on the first master, on every other master and slave.
//!
//! - Changes: `/root/mesos` on the node becomes what it is on the first master; the packages that it needs are installed.
//! - Twice is safe: rsync moves what differs.
//! - Not undone.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use super::BuiltMesos;
use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::on_node;
use crate::packages;
use crate::world::World;
use crate::{hub, mesos};

/// One copy of Mesos.
#[derive(Debug, Serialize)]
pub struct RedeployMesos {
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub hub: Node,
    /// The node that gets it.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
    /// What stands on the first master.
    pub built: BuiltMesos,
    /// Operating-system packages that it needs.
    pub packages: Vec<String>,
}

impl RedeployMesos {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("redeploy-mesos");

    async fn is_equal(&self, cx: &StepCx<World>) -> Result<bool, ActError> {
        let found = hub::digest(cx.world(), &self.node, on_node::MESOS).await?;
        Ok(found.as_ref() == Some(&self.built.digest))
    }

    async fn runs(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        mesos::runs_as(cx.world(), &self.node, on_node::MESOS, &self.built.version).await
    }
}

impl Step for RedeployMesos {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        let done = self.is_equal(cx).await? && self.runs(cx).await.is_ok();
        Ok(Probe::done_if(done))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        packages::install(cx.world(), &self.node, &self.packages).await?;
        hub::copy(cx.world(), &self.hub, &self.node, on_node::MESOS).await
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        if !self.is_equal(cx).await? {
            let what = format!(
                "{} on {} is not what it is on the first master",
                on_node::MESOS,
                self.node.name
            );
            return Err(ActError::not_yet(what));
        }
        self.runs(cx).await
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(1500))
    }
}
