//! `spare-master`: the other masters lead without the one that is replaced.
//!
//! - Changes: its daemon is stopped, where it answers, and does not come back with a boot. Not before every other one has been seen to have
//!   its copy of the registry: a master that begins anew gets its own from them, which takes as many as make the quorum.
//! - Twice is safe.
//! - Undone by `mesos-start`.

use std::time::Duration;

use mesosflow_workflow::{ErrorClass, Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use super::well::{lacking, still_lacking};
use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::mesos::{self, MASTER};
use crate::remote::RemoteError;
use crate::world::World;

/// How long the others may take to have the registry.
const RECOVERY_LIMIT: Duration = Duration::from_secs(60);
/// A stopped leader's ZooKeeper session lasts 10 s, and the registry's recovery takes its time.
const ELECTION_LIMIT: Duration = Duration::from_secs(120);

/// A master that is replaced.
#[derive(Debug, Serialize)]
pub struct SpareMaster {
    /// Its node.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
    /// Whether that answers: one may fall silent meanwhile, and then there is nothing to stop.
    #[serde(skip)]
    pub answers: bool,
    /// The other masters.
    #[serde(serialize_with = "input::nodes")]
    pub others: Vec<Node>,
}

impl SpareMaster {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("spare-master");

    /// Which of the others has not the registry; none where all have.
    ///
    /// # Errors
    /// One of them cannot be reached.
    pub async fn lacks(&self, world: &World) -> Result<Option<String>, RemoteError> {
        lacking(world, &self.others).await
    }

    /// Whether it is out, and one of the others leads.
    async fn is_spared(&self, world: &World) -> Result<bool, RemoteError> {
        let is_out = !self.answers || MASTER.is_retired(world, &self.node).await?;
        let leads = mesos::leader_script(&self.others);
        Ok(is_out && world.ask(&self.others[0], leads).await? && self.lacks(world).await?.is_none())
    }

    async fn recovered(&self, world: &World) -> Result<(), ActError> {
        match still_lacking(world, &self.others, RECOVERY_LIMIT).await? {
            None => Ok(()),
            Some(lacks) => Err(ActError::Unmet {
                what: format!("the other masters cannot do without {}: {lacks}", self.node.name),
                class: ErrorClass::Operator,
                hint: Some(
                    "bring them back first (`mesosflow check` says what is down), then `mesosflow resume`"
                        .to_owned(),
                ),
            }),
        }
    }
}

impl Step for SpareMaster {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(Probe::done_if(self.is_spared(cx.world()).await?))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let world = cx.world();
        self.recovered(world).await?;
        if self.answers {
            MASTER.retire(world, &self.node).await?;
        }
        let what = format!("waiting for another master than {} to lead", self.node.name);
        let leads = mesos::leader_script(&self.others);
        let led = world
            .wait_until(&self.others[0], ELECTION_LIMIT, &what, leads)
            .await;
        match led {
            Ok(()) => Ok(()),
            Err(error) => Err(MASTER.explain(world, &self.others[0], error).await),
        }
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        match self.is_spared(cx.world()).await? {
            true => Ok(()),
            false => Err(ActError::not_yet(format!(
                "the other masters do not lead without {}",
                self.node.name
            ))),
        }
    }

    fn limits(&self) -> Limits {
        Limits::within(RECOVERY_LIMIT + ELECTION_LIMIT + Duration::from_secs(300))
    }
}
