//! `restart-masters`, `restart-agents`: the role of a node, and its daemon started anew where it runs with another configuration than that.
//!
//! - Changes: what `mesos-roles` does, of this node alone; then the daemon, where its unit, its flags or its Mesos are others. Tasks live
//!   on, but for those of frameworks that keep no checkpoints: their agent takes them over again. An agent that begins anew by its flags is
//!   drained before and works again afterwards. The item ends once Mesos is whole. A daemon that its node never had is left to `mesos-start`.
//! - Twice is safe: what runs as it should is left so.
//! - Not undone, but by the same with the configuration of before.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Retry, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::well::Among;
use super::{DrainAgent, Drained, ReactivateAgent};
use crate::act::ActError;
use crate::agent_identity::{self, At};
use crate::cluster::{Node, Role, input};
use crate::mesos::{MASTER, SLAVE};
use crate::service::Service;
use crate::setup::{By, MesosRoles};
use crate::world::World;

/// What is written, a stop, a start, and the wait behind them.
const DEADLINE: Duration = Duration::from_secs(900);
/// How long executors of tasks that have ended may be seen.
const KEPT_LIMIT: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// One daemon.
#[derive(Debug, Serialize)]
pub struct RestartMesos {
    /// The role of its node.
    #[serde(flatten)]
    pub role: MesosRoles,
    /// Those of whom one leads.
    #[serde(serialize_with = "input::nodes")]
    pub masters: Vec<Node>,
    /// Whose agents have to be registered afterwards: all, or that of this node.
    #[serde(serialize_with = "input::nodes")]
    pub slaves: Vec<Node>,
    /// Set of an agent that may begin anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anew: Option<Anew>,
}

/// How an agent begins anew.
#[derive(Debug, Clone, Serialize)]
pub struct Anew {
    /// What of its flags makes another agent of it.
    pub moves: Vec<String>,
    /// How long its tasks may take to end by themselves, seconds.
    pub timeout_s: u64,
}

/// A daemon that runs as it should.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restarted {
    /// How its tasks have ended, where it began anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained: Option<Drained>,
}

impl RestartMesos {
    /// Its id in the catalogue, of masters or of slaves.
    pub const fn id_of(role: Role) -> StepId {
        StepId::from_static(match role {
            Role::Master | Role::Zookeeper => "restart-masters",
            Role::Slave => "restart-agents",
        })
    }

    fn service(&self) -> Service {
        match self.role.node.role {
            Role::Slave => SLAVE,
            Role::Master | Role::Zookeeper => MASTER,
        }
    }

    const fn among(&self) -> Among<'_> {
        Among {
            node: &self.role.node,
            masters: self.masters.as_slice(),
            slaves: self.slaves.as_slice(),
        }
    }

    fn back(&self) -> ReactivateAgent {
        ReactivateAgent {
            node: self.role.node.clone(),
            masters: self.masters.clone(),
            starts: false,
        }
    }

    async fn is_current(&self, world: &World) -> Result<bool, ActError> {
        Ok(self.role.is_so(world).await? && self.service().is_current(world, &self.role.node).await?)
    }

    /// Drains an agent that begins anew by the new flags, or by those that lie on its node since it was started.
    async fn drain(&self, world: &World, anew: &Anew) -> Result<Option<Drained>, ActError> {
        let node = &self.role.node;
        let moved = agent_identity::is_moved(world, node, &anew.moves, At::Start).await?
            || agent_identity::begins_anew(world, node).await?;
        if !moved {
            return Ok(None);
        }
        tracing::info!(target: "mesosflow::progress", "{}: its agent begins anew, and is drained before", node.name);
        let drain = DrainAgent {
            node: node.clone(),
            masters: self.masters.clone(),
            timeout_s: anew.timeout_s,
        };
        drain.drain(world).await.map(Some)
    }

    /// Writes the role. The boot script keeps what an agent is known by as long as it sees tasks, and what of them has ended may be seen
    /// for a moment.
    async fn write(&self, world: &World) -> Result<(), ActError> {
        let (node, begun) = (&self.role.node, Instant::now());
        let moves = self.anew.as_ref().map_or(&[][..], |anew| &anew.moves);
        loop {
            self.role.lay(world, By::Caller).await?;
            if !agent_identity::is_moved(world, node, moves, At::Flags).await? {
                return Ok(());
            }
            if begun.elapsed() >= KEPT_LIMIT {
                tracing::warn!(target: "mesosflow::progress", "{}: its agent stays known by what its node has of its own", node.name);
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn restart(&self, world: &World) -> Result<Restarted, ActError> {
        let (node, service) = (&self.role.node, self.service());
        let mut restarted = Restarted::default();
        if !self.is_current(world).await? {
            if let Some(anew) = &self.anew {
                restarted.drained = self.drain(world, anew).await?;
            }
            self.write(world).await?;
            if !service.is_current(world, node).await? {
                tracing::info!(target: "mesosflow::progress", "{}: {} starts anew", node.name, service.unit);
                service.restart(world, node).await?;
            }
        }
        if let Err(error) = self.among().until_well(world, &service).await {
            return Err(service.explain(world, node, error).await);
        }
        if self.anew.is_some() {
            self.back().put_back(world).await?;
        }
        Ok(restarted)
    }
}

impl Step for RestartMesos {
    type World = World;
    type Output = Restarted;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::id_of(self.role.node.role)
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Restarted>, ActError> {
        let (world, node) = (cx.world(), &self.role.node);
        if !self.service().is_enabled(world, node).await? {
            return Ok(Probe::Done(Restarted::default()));
        }
        if !self.is_current(world).await? || !matches!(self.among().wanting(world).await, Ok(None)) {
            return Ok(Probe::NotDone);
        }
        let works = match self.anew {
            Some(_) => matches!(self.back().probe(cx).await?, Probe::Done(_)),
            None => true,
        };
        Ok(match works {
            true => Probe::Done(Restarted::default()),
            false => Probe::NotDone,
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Restarted, ActError> {
        self.restart(cx.world()).await
    }

    async fn verify(&self, cx: &StepCx<World>, _restarted: &Restarted) -> Result<(), ActError> {
        if self.is_current(cx.world()).await? {
            return Ok(());
        }
        Err(ActError::not_yet(format!(
            "{} on {} runs with another configuration again",
            self.service().unit,
            self.role.node.name
        )))
    }

    /// In the middle of a node is no good place to stop at.
    fn grace(&self) -> Option<Duration> {
        Some(DEADLINE)
    }

    fn limits(&self) -> Limits {
        // A drain looks by itself how long it may take, and so does the way back to work.
        let drains = match &self.anew {
            Some(anew) => Duration::from_secs(anew.timeout_s).saturating_mul(2) + Duration::from_secs(5400),
            None => Duration::ZERO,
        };
        Limits {
            deadline: DEADLINE.saturating_add(drains),
            retry: Retry {
                attempts: 2,
                ..Retry::STANDARD
            },
        }
    }
}
