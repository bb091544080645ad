//! `roll-masters`, `roll-agents`: the Mesos that waits on a node gets its place, and the daemon is started anew with it.
//!
//! - Changes: `/root/mesos` on the node, of which the one of before is kept beside it; its master or agent runs anew. Tasks live on:
//!   their agent takes them over again. The item ends once Mesos is whole: a master leads, this one's copy of the registry is recovered,
//!   and all agents that run are registered; or this agent is.
//! - Twice is safe: what has its place and runs is left so; a roll that was broken off is gone on with.
//! - Undone by rolling back to the one of before.

use std::time::Duration;

use mesosflow_workflow::{ErrorClass, Limits, Probe, Retry, Step, StepCx, StepError as _, StepId};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::act::ActError;
use crate::cluster::{MESOS_MASTER_PORT, Node, Role, input};
use crate::mesos::{self, MASTER, RECOVERED, SLAVE};
use crate::mesos_beside;
use crate::operator::{Ground, Mode, Operator, Sight, Standing, standings};
use crate::service::Service;
use crate::setup::BuiltMesos;
use crate::world::World;

/// How long a daemon may take until all is well: a session of ten seconds ends, the registry is recovered, and agents back off up to a
/// minute before they register.
const WELL_LIMIT: Duration = Duration::from_secs(240);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A copy, a stop, a start, and the wait behind them.
const DEADLINE: Duration = Duration::from_secs(900);
/// Where agents listen.
const AGENT_PORT: u16 = 5051;

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

    /// What is not well yet, in words.
    async fn wanting(&self, world: &World) -> Result<Option<String>, ActError> {
        let (port, metric, what) = match self.node.role {
            Role::Slave => (AGENT_PORT, "slave registered", "its agent"),
            Role::Master | Role::Zookeeper => (MESOS_MASTER_PORT, RECOVERED, "its master"),
        };
        let operator = Operator::new(world, &self.masters);
        if self.node.role == Role::Slave
            && let Mode::Down { .. } = Sight::of(&operator, &self.node).await?.mode
        {
            // Nobody may register from there before its maintenance has ended.
            return Ok(None);
        }
        if let Some(said) = mesos::wanting(world, &self.node, (port, metric)).await? {
            return Ok(Some(format!("{what} {said}")));
        }
        for (slave, standing) in self.slaves.iter().zip(standings(&operator, &self.slaves).await?) {
            let is_own = slave.name == self.node.name;
            if !is_registered(&standing) && (is_own || world.has_agent(slave).await?) {
                return Ok(Some(format!(
                    "the agent of {} is not registered with the leading master",
                    slave.name
                )));
            }
        }
        Ok(None)
    }

    /// Waits until all is well, and says why, whenever that is another reason.
    async fn until_well(&self, world: &World) -> Result<(), ActError> {
        let (begun, mut said) = (Instant::now(), String::new());
        loop {
            let wanting = match self.wanting(world).await {
                Ok(None) => return Ok(()),
                Ok(Some(wanting)) => wanting,
                Err(error) if error.class() == ErrorClass::Fenced => return Err(error),
                // Nobody leads for a while, and a master that has just begun refuses what it answers a moment later.
                Err(error) => error.to_string(),
            };
            if begun.elapsed() >= WELL_LIMIT {
                let waited = WELL_LIMIT.as_secs();
                return Err(ActError::not_yet(format!(
                    "{}: {wanting}: not well after {waited} s",
                    self.node.name
                ))
                .hinted("see to it, then `mesosflow resume`"));
            }
            if wanting != said {
                tracing::info!(target: "mesosflow::progress", "{}: waiting, since {wanting}", self.node.name);
                said = wanting;
            }
            tokio::time::sleep(LOOK_EVERY).await;
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
        match self.until_well(world).await {
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

/// Whether it is heard of. One that an operator has taken out of work is none the worse.
pub(super) const fn is_registered(standing: &Standing) -> bool {
    matches!(standing, Standing::Registered(agent) if agent.is_active || agent.is_deactivated)
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
            Ok(true) if matches!(self.wanting(world).await, Ok(None)) => Probe::Done(Rolled::default()),
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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::process::Command;

    use crate::mesos::WELL;

    /// What a daemon is taken for that answers so, once.
    fn said(answer: Option<&str>, metric: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answering = answer.map(|answer| {
            let body = format!(
                "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{answer}",
                answer.len()
            );
            std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let _request = stream.read(&mut [0; 4096]).unwrap();
                stream.write_all(body.as_bytes()).unwrap();
            })
        });
        let output = Command::new("sh")
            .args(["-euc", WELL])
            .env("address", "127.0.0.1")
            .env("port", port.to_string())
            .env("metric", metric)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        if let Some(answering) = answering {
            answering.join().unwrap();
        }
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn a_daemon_is_well_by_its_own_word() {
        let (log, agent) = ("registrar log recovered", "slave registered");
        assert_eq!(said(Some(r#"{"registrar\/log\/recovered":1.0,"x":0}"#), log), "");
        assert_eq!(said(Some(r#"{"x":0,"registrar/log/recovered":1}"#), log), "");
        assert_eq!(
            said(Some(r#"{"registrar/log/recovered":0.0}"#), log),
            "says registrar/log/recovered=0.0"
        );
        assert_eq!(
            said(Some(r#"{"slave\/registered":0}"#), agent),
            "says slave/registered=0"
        );
        // An older one has no such word.
        assert_eq!(said(Some(r#"{"master/elected":1}"#), log), "");
        assert_eq!(said(None, log), "does not answer");
    }
}
