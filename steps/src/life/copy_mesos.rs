//! `copy-mesos`: the Mesos that is to be rolled out, on every other master and slave beside the one that runs there.
//!
//! - Changes: a folder beside `/root/mesos`; packages that it needs are installed. That it runs there with the node's own libraries is
//!   seen before any daemon is touched.
//! - Twice is safe: rsync moves what differs.
//! - Undone by `clear-mesos`.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::on_node::{MESOS, NEXT_MESOS};
use crate::operator::Ground as _;
use crate::setup::BuiltMesos;
use crate::world::World;
use crate::{mesos, mesos_beside, packages};

/// One copy of it.
#[derive(Debug, Serialize)]
pub struct CopyMesos {
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub hub: Node,
    /// The node that gets it.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
    /// What waits on the first master.
    pub built: BuiltMesos,
    /// Operating-system packages that it needs.
    pub packages: Vec<String>,
}

impl CopyMesos {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("copy-mesos");

    /// The folder that has it, if one has.
    async fn place(&self, world: &World) -> Result<Option<&'static str>, ActError> {
        if mesos_beside::is_beside(world, &self.node, &self.built.digest).await? {
            return Ok(Some(NEXT_MESOS));
        }
        let is_laid = mesos_beside::is_laid(world, &self.node, &self.built.digest).await?;
        Ok(is_laid.then_some(MESOS))
    }

    async fn runs(&self, world: &World, folder: &str) -> Result<(), ActError> {
        mesos::runs_as(world, &self.node, folder, &self.built.version).await
    }
}

impl Step for CopyMesos {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        let place = match self.place(cx.world()).await {
            // One that has gone gets none, and is passed over by the roll.
            Err(_) if cx.world().why_gone(&self.node).await?.is_some() => return Ok(Probe::Done(())),
            looked => looked?,
        };
        Ok(Probe::done_if(match place {
            Some(folder) => self.runs(cx.world(), folder).await.is_ok(),
            None => false,
        }))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        packages::install(cx.world(), &self.node, &self.packages).await?;
        mesos_beside::bring(cx.world(), &self.hub, &self.node, &self.built.digest).await
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        match self.place(cx.world()).await? {
            Some(folder) => self.runs(cx.world(), folder).await,
            None => Err(ActError::not_yet(format!(
                "{NEXT_MESOS} on {} is not what it is on the first master",
                self.node.name
            ))),
        }
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(1500))
    }
}
