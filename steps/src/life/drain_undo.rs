//! `reactivate-agents`: the agent of a node gets tasks again.
//!
//! - Changes: an agent that was deactivated or drained is reactivated (`REACTIVATE_AGENT`); a machine that is down for maintenance is
//!   up again, and our window in the schedule is gone. A window of an operator's is there afterwards as it was before. A daemon that runs
//!   is waited for until it has registered, since the master keeps what it has of an agent until then; one that does not is started where
//!   that is asked for, and is otherwise others' to start, before. Of a node that does not answer nothing is claimed; one
//!   whose machine does not run, or is gone, is passed over.
//! - Twice is safe, and so is it where nothing was ever drained.
//! - Undone by `drain-agents`.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Retry, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;

use super::drain::{LOOK_EVERY, Patience, SCHEDULING};
use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::operator::{Agent, DrainState, Ground, MachineId, Mode, Operator, Schedule, Sight, Standing};
use crate::world::World;

/// Agents back off up to a minute before they register (`--registration_backoff_factor`).
const REGISTRATION_LIMIT: Duration = Duration::from_secs(180);
/// A drain cannot be called off: the grace that its tasks were given is waited for.
const DRAIN_LIMIT: Duration = Duration::from_secs(60 * 60);

/// An agent that is to work again.
#[derive(Debug, Serialize)]
pub struct ReactivateAgent {
    /// The slave that it runs on.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
    /// Those of whom one leads.
    #[serde(serialize_with = "input::nodes")]
    pub masters: Vec<Node>,
    /// Whether its daemon is started where it does not run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub starts: bool,
}

/// An agent that nothing keeps from work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reactivated {
    /// Whether it is registered and active; otherwise its daemon does not run, and nothing that the master has of it keeps it from work.
    pub is_active: bool,
    /// Why its machine does not run, if it does not: then nothing was done, and its turn comes once it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed_over: Option<String>,
}

impl Reactivated {
    /// It is registered and active.
    const ACTIVE: Self = Self {
        is_active: true,
        passed_over: None,
    };
}

/// What an operator had of a machine before it was taken up.
#[derive(Debug)]
struct Theirs {
    machine: MachineId,
    schedule: Schedule,
}

/// What comes next.
#[derive(Debug, PartialEq)]
enum Next {
    Done(Reactivated),
    /// Take the machine up; whether its window is ours alone.
    TakeUp(MachineId, bool),
    Unschedule,
    Reactivate(String),
    /// In words, and how long at most.
    Wait(&'static str, Duration),
    /// The agent is not heard of: it is waited for if its daemon runs.
    Missing(&'static str),
}

fn next(sight: &Sight) -> Next {
    match &sight.mode {
        Mode::Down { machine, ours } => return Next::TakeUp(machine.clone(), *ours),
        Mode::Scheduled { ours: true } => return Next::Unschedule,
        Mode::Scheduled { ours: false } | Mode::Up => {}
    }
    match &sight.standing {
        Standing::Absent => Next::Missing("its agent runs, and has not registered"),
        Standing::Expected => Next::Missing("its agent runs, and has not come to the newly elected master"),
        Standing::Registered(agent) => of(agent),
    }
}

fn of(agent: &Agent) -> Next {
    match agent.drain {
        Some(DrainState::Draining) => Next::Wait(
            "its tasks are still being ended, which cannot be called off",
            DRAIN_LIMIT,
        ),
        Some(_) => Next::Reactivate(agent.id.clone()),
        None if agent.is_deactivated => Next::Reactivate(agent.id.clone()),
        None if agent.is_active => Next::Done(Reactivated::ACTIVE),
        None => Next::Missing("its agent runs, and the leading master does not hear of it"),
    }
}

impl ReactivateAgent {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("reactivate-agents");

    /// Takes the machine up. It leaves its window by that, whoever's it was.
    async fn take_up(&self, operator: &Operator<'_>, machine: &MachineId) -> Result<(), ActError> {
        let doing = format!("take {} up after maintenance", self.node.name);
        operator.post(&doing, "/machine/up", &[machine]).await
    }

    /// Puts the machine back into the operator's window that it had before.
    async fn restore(&self, operator: &Operator<'_>, theirs: &Theirs) -> Result<(), ActError> {
        let _turn = SCHEDULING.lock().await;
        let now = Sight::of(operator, &self.node).await?.schedule;
        let doing = format!(
            "schedule maintenance of {} as its operator had it",
            self.node.name
        );
        let schedule = now.restored(&theirs.schedule, &theirs.machine);
        operator.post(&doing, "/maintenance/schedule", &schedule).await
    }

    async fn unschedule(&self, operator: &Operator<'_>) -> Result<(), ActError> {
        let _turn = SCHEDULING.lock().await;
        let now = Sight::of(operator, &self.node).await?;
        let doing = format!("take {} out of the maintenance schedule", self.node.name);
        let without = now.schedule.without(&now.ip);
        operator.post(&doing, "/maintenance/schedule", &without).await
    }

    async fn reactivate(&self, operator: &Operator<'_>, id: &str) -> Result<(), ActError> {
        let doing = format!("reactivate the Mesos agent of {} ({id})", self.node.name);
        let call = json!({"type": "REACTIVATE_AGENT", "reactivate_agent": {"agent_id": {"value": id}}});
        operator.post(&doing, "/api/v1", &call).await
    }

    /// Goes on until nothing keeps the agent from work.
    pub(crate) async fn put_back(&self, ground: &dyn Ground) -> Result<Reactivated, ActError> {
        let operator = Operator::new(ground, &self.masters);
        let begun = Instant::now();
        let mut patience = Patience::default();
        let mut theirs: Option<Theirs> = None;
        loop {
            let sight = match Sight::of(&operator, &self.node).await {
                Ok(sight) => sight,
                Err(error) => {
                    patience.after(Err(error)).await?;
                    continue;
                }
            };
            if let Some(before) = theirs.as_ref().filter(|_| sight.mode == Mode::Up) {
                let restored = self.restore(&operator, before).await;
                if restored.is_ok() {
                    theirs = None;
                }
                patience.after(restored).await?;
                continue;
            }
            let acted = match next(&sight) {
                Next::Done(reactivated) => return Ok(reactivated),
                Next::TakeUp(machine, ours) => {
                    let up = self.take_up(&operator, &machine).await;
                    // Also where its answer is lost.
                    theirs = (!ours).then_some(Theirs {
                        machine,
                        schedule: sight.schedule,
                    });
                    up
                }
                Next::Unschedule => self.unschedule(&operator).await,
                Next::Reactivate(id) => self.reactivate(&operator, &id).await,
                Next::Missing(what) => match self.without_daemon(ground).await? {
                    Some(_) if self.starts => ground.start_agent(&self.node).await,
                    Some(without) => return Ok(without),
                    None => {
                        self.wait(begun, what, REGISTRATION_LIMIT).await?;
                        patience.is_well();
                        continue;
                    }
                },
                Next::Wait(what, limit) => {
                    self.wait(begun, what, limit).await?;
                    patience.is_well();
                    continue;
                }
            };
            patience.after(acted).await?;
        }
    }

    /// What there is to say of an agent that no master knows where its daemon does not run; nothing where it does.
    async fn without_daemon(&self, ground: &dyn Ground) -> Result<Option<Reactivated>, ActError> {
        let passed_over = match ground.has_agent(&self.node).await {
            Ok(true) => return Ok(None),
            Ok(false) => None,
            Err(error) => match ground.why_gone(&self.node).await? {
                None => return Err(error),
                why => why,
            },
        };
        Ok(Some(Reactivated {
            is_active: false,
            passed_over,
        }))
    }

    async fn wait(&self, begun: Instant, what: &str, limit: Duration) -> Result<(), ActError> {
        if begun.elapsed() >= limit {
            let name = &self.node.name;
            return Err(ActError::not_yet(format!(
                "{name}: {what} after {} s",
                begun.elapsed().as_secs()
            )));
        }
        tokio::time::sleep(LOOK_EVERY).await;
        Ok(())
    }
}

impl Step for ReactivateAgent {
    type World = World;
    type Output = Reactivated;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Reactivated>, ActError> {
        let world = cx.world();
        let operator = Operator::new(world, &self.masters);
        Ok(match next(&Sight::of(&operator, &self.node).await?) {
            Next::Done(reactivated) => Probe::Done(reactivated),
            Next::Missing(_) if !self.starts => match self.without_daemon(world).await? {
                Some(without) => Probe::Done(without),
                None => Probe::NotDone,
            },
            _ => Probe::NotDone,
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Reactivated, ActError> {
        self.put_back(cx.world()).await
    }

    async fn verify(&self, cx: &StepCx<World>, _back: &Reactivated) -> Result<(), ActError> {
        match self.probe(cx).await? {
            Probe::Done(_) => Ok(()),
            Probe::NotDone => Err(ActError::not_yet(format!(
                "the Mesos agent of {} is kept from work again",
                self.node.name
            ))),
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            deadline: DRAIN_LIMIT + 2 * REGISTRATION_LIMIT,
            // It looks again by itself, as long as that helps.
            retry: Retry {
                attempts: 2,
                ..Retry::STANDARD
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::Version;

    fn sight(mode: Mode, standing: Standing) -> Sight {
        Sight {
            version: Version::DRAINS,
            standing,
            mode,
            schedule: Schedule::default(),
            ip: "10.0.0.1".into(),
        }
    }

    fn agent(is_active: bool, is_deactivated: bool, drain: Option<DrainState>) -> Standing {
        Standing::Registered(Agent {
            id: "S0".into(),
            machine: MachineId::default(),
            is_active,
            is_deactivated,
            drain,
            tasks: 0,
        })
    }

    #[test]
    fn whatever_keeps_an_agent_from_work_is_undone_and_nothing_else() {
        let of = |standing| next(&sight(Mode::Up, standing));
        let done = Next::Done(Reactivated::ACTIVE);
        assert_eq!(of(agent(true, false, None)), done);
        assert_eq!(of(agent(false, true, None)), Next::Reactivate("S0".into()));
        assert_eq!(
            of(agent(false, true, Some(DrainState::Drained))),
            Next::Reactivate("S0".into())
        );
        assert!(matches!(
            of(agent(false, true, Some(DrainState::Draining))),
            Next::Wait(..)
        ));
        for silent in [agent(false, false, None), Standing::Absent, Standing::Expected] {
            assert!(matches!(of(silent), Next::Missing(_)));
        }
        // Before the agent, since it cannot register.
        let machine = MachineId::default();
        let down = Mode::Down {
            machine: machine.clone(),
            ours: false,
        };
        assert_eq!(next(&sight(down, Standing::Absent)), Next::TakeUp(machine, false));
        let scheduled = |ours| next(&sight(Mode::Scheduled { ours }, agent(true, false, None)));
        assert_eq!(scheduled(true), Next::Unschedule);
        assert_eq!(scheduled(false), done);
    }
}
