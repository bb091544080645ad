//! `roll-masters`, `roll-agents`: the Mesos that waits on a node gets its place, and the daemon is started anew with it.
//!
//! - Changes: `/root/mesos` on the node, of which the one of before is kept beside it; its master or agent runs anew. Tasks live on:
//!   their agent takes them over again. The item ends once Mesos is whole: a master leads, this one's copy of the registry is recovered,
//!   and all agents that run are registered; or this agent is.
//! - Twice is safe: what has its place and runs is left so; a roll that was broken off is gone on with.
//! - Undone by rolling back to the one of before.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Retry, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};

use super::well::Among;
use crate::act::ActError;
use crate::cluster::{Node, Role, input};
use crate::mesos::{MASTER, SLAVE};
use crate::mesos_beside;
use crate::operator::Ground as _;
use crate::service::Service;
use crate::setup::BuiltMesos;
use crate::world::World;

/// A copy, a stop, a start, and the wait behind them.
const DEADLINE: Duration = Duration::from_secs(900);

/// One node of a roll.
#[derive(Debug, Serialize)]
pub struct RollMesos {
    /// The first master, which has what the node may lack.
    #[serde(serialize_with = "input::node")]
    pub hub: Node,
    /// A master or a slave.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
    /// What is rolled out.
    pub built: BuiltMesos,
    /// Those of whom one leads.
    #[serde(serialize_with = "input::nodes")]
    pub masters: Vec<Node>,
    /// Whose agents have to be registered afterwards: all that were before, or that of this node.
    #[serde(serialize_with = "input::nodes")]
    pub slaves: Vec<Node>,
}

/// A node that has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rolled {
    /// Why it was passed over: its machine does not run any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed_over: Option<String>,
}

impl RollMesos {
    /// Its id in the catalogue, of masters or of slaves.
    pub const fn id_of(role: Role) -> StepId {
        StepId::from_static(match role {
            Role::Master | Role::Zookeeper => "roll-masters",
            Role::Slave => "roll-agents",
        })
    }

    fn service(&self) -> Service {
        match self.node.role {
            Role::Slave => SLAVE,
            Role::Master | Role::Zookeeper => MASTER,
        }
    }

    async fn has_it(&self, world: &World) -> Result<bool, ActError> {
        Ok(
            mesos_beside::is_laid(world, &self.node, &self.built.digest).await?
                && self.service().is_current(world, &self.node).await?,
        )
    }

    const fn among(&self) -> Among<'_> {
        Among {
            node: &self.node,
            masters: self.masters.as_slice(),
            slaves: self.slaves.as_slice(),
        }
    }

    async fn roll(&self, world: &World) -> Result<(), ActError> {
        let service = self.service();
        if !mesos_beside::is_laid(world, &self.node, &self.built.digest).await? {
            mesos_beside::bring(world, &self.hub, &self.node, &self.built.digest).await?;
            mesos_beside::lay(world, &self.node, service.unit).await?;
        }
        if !service.is_current(world, &self.node).await? {
            let version = &self.built.version;
            tracing::info!(target: "mesosflow::progress", "{}: {} starts anew as {version}", self.node.name, service.unit);
            service.restart(world, &self.node).await?;
        }
        match self.among().until_well(world, &service).await {
            Ok(()) => Ok(()),
            Err(error) => Err(service.explain(world, &self.node, error).await),
        }
    }

    /// A node that cannot be reached since its machine runs no more is passed over.
    async fn unless_gone<T>(
        &self,
        world: &World,
        looked: Result<T, ActError>,
    ) -> Result<Result<T, Rolled>, ActError> {
        let error = match looked {
            Ok(looked) => return Ok(Ok(looked)),
            Err(error) => error,
        };
        match world.why_gone(&self.node).await? {
            Some(why) => Ok(Err(Rolled {
                passed_over: Some(why),
            })),
            None => Err(error),
        }
    }
}

impl Step for RollMesos {
    type World = World;
    type Output = Rolled;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::id_of(self.node.role)
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Rolled>, ActError> {
        let world = cx.world();
        let looked = self.has_it(world).await;
        Ok(match self.unless_gone(world, looked).await? {
            Err(gone) => {
                let why = gone.passed_over.as_deref().unwrap_or_default();
                tracing::warn!(target: "mesosflow::progress", "{} is passed over: {why}", self.node.name);
                Probe::Done(gone)
            }
            Ok(true) if matches!(self.among().wanting(world).await, Ok(None)) => {
                Probe::Done(Rolled::default())
            }
            Ok(_) => Probe::NotDone,
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Rolled, ActError> {
        let rolled = self.roll(cx.world()).await;
        Ok(match self.unless_gone(cx.world(), rolled).await? {
            Ok(()) => Rolled::default(),
            Err(gone) => gone,
        })
    }

    async fn verify(&self, cx: &StepCx<World>, rolled: &Rolled) -> Result<(), ActError> {
        if rolled.passed_over.is_some() || self.has_it(cx.world()).await? {
            return Ok(());
        }
        Err(ActError::not_yet(format!(
            "Mesos on {} is another one again",
            self.node.name
        )))
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
