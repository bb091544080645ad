//! `drain-agents`: the agent of a node gets no task any more, and has none.
//!
//! - Changes: with Mesos 1.9 and later the agent is deactivated, and drained once its tasks have ended or its time is up
//!   (`DEACTIVATE_AGENT`, `DRAIN_AGENT`). Before, its machine goes into the maintenance schedule, beside what operators have there, and
//!   down in the end (`/machine/down`), by which its agent ends too. Tasks that are left when the time is up are ended by that, and none
//!   before: `DRAIN_AGENT` by itself would ask them all to end at once.
//! - Twice is safe: what an answer that was lost has done is seen before anything is asked again. An attempt that is begun anew, after
//!   a crash say, gives the tasks their time once more.
//! - Undone by `reactivate-agents`; the tasks that were ended are their frameworks' to start elsewhere.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mesosflow_workflow::{ErrorClass, Limits, Probe, Retry, Step, StepCx, StepError as _, StepId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::operator::{Agent, DrainState, Ground, Mode, Operator, Sight, Standing, Version};
use crate::world::World;

/// How long no master may lead, or be asked: an election takes ten seconds, and the registry's recovery its time.
pub(super) const ELECTION_LIMIT: Duration = Duration::from_secs(120);
/// How long an agent is expected back after an election, or one that is not heard of is kept by its master: that gives up after five
/// pings of 15 s.
const EXPECTED_LIMIT: Duration = Duration::from_secs(120);
/// How long frameworks may take to acknowledge that tasks have ended, after the last of these had to.
const ACKNOWLEDGE_LIMIT: Duration = Duration::from_secs(60);
/// A year. Mesos counts in nanoseconds, of which there are not enough for any number of seconds.
const LONGEST_GRACE_S: u64 = 365 * 24 * 60 * 60;
/// Between two looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One at a time changes the schedule, which is read, changed and put in the place of the one before.
pub(super) static SCHEDULING: Mutex<()> = Mutex::const_new(());

/// An agent that is to be drained.
#[derive(Debug, Serialize)]
pub struct DrainAgent {
    /// The slave that it runs on.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
    /// Those of whom one leads.
    #[serde(serialize_with = "input::nodes")]
    pub masters: Vec<Node>,
    /// How long its tasks may take to end by themselves, seconds. What is left then gets its own grace period, which is as long at
    /// most.
    pub timeout_s: u64,
}

/// An agent without tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    /// What has seen to it.
    pub how: DrainedBy,
    /// How many tasks had not ended in time, and were ended; as far as the attempt knows that has seen the end.
    pub tasks_ended: u64,
    /// What else is to be known: why there was nothing to drain, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What has seen to it that an agent has no task and gets none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrainedBy {
    /// The leading master has drained it.
    Drained,
    /// Its machine is down for maintenance.
    Maintenance,
    /// There is none: it is not registered, or its machine is gone.
    Absent,
}

impl Drained {
    fn by(how: DrainedBy, tasks_ended: u64) -> Self {
        Self {
            how,
            tasks_ended,
            why: None,
        }
    }

    fn absent(tasks_ended: u64, why: impl Into<String>) -> Self {
        Self {
            why: Some(why.into()),
            ..Self::by(DrainedBy::Absent, tasks_ended)
        }
    }
}

/// What is asked of the leading master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Deactivate,
    Drain,
    Schedule,
    TakeDown,
}

/// What comes next.
#[derive(Debug, PartialEq)]
enum Next {
    Done(Drained),
    Ask(Ask),
    /// In words, and how long at most.
    Wait(String, Duration),
    /// That was in vain, and only a person can help.
    GiveUp(String),
}

/// How far an attempt is.
#[derive(Debug, Clone, Copy, Default)]
struct Course {
    /// Since it has begun.
    waited: Duration,
    /// Since the tasks that were left were asked to end.
    since_ended: Duration,
    /// How many those were.
    ended: u64,
    /// Whether a master has said that it is deactivated, which a version may not show.
    is_deactivated: bool,
}

impl DrainAgent {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("drain-agents");

    fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_s)
    }

    /// What comes next, as things stand.
    fn next(&self, sight: &Sight, course: Course) -> Next {
        let agent = match (&sight.standing, &sight.mode) {
            (_, Mode::Down { .. }) => return Next::Done(Drained::by(DrainedBy::Maintenance, course.ended)),
            (Standing::Absent, _) => {
                let why = "its agent is not registered with the leading master";
                return Next::Done(Drained::absent(course.ended, why));
            }
            (Standing::Expected, _) => {
                let what = "its agent has not come to the newly elected master yet".to_owned();
                return Next::Wait(what, self.timeout().max(EXPECTED_LIMIT));
            }
            (Standing::Registered(agent), _) => agent,
        };
        let is_over = agent.tasks == 0 || course.waited >= self.timeout();
        match (agent.drain, sight.version >= Version::DRAINS, &sight.mode) {
            (Some(DrainState::Drained), ..) => Next::Done(Drained::by(DrainedBy::Drained, course.ended)),
            (Some(_), ..) => self.draining(agent, course),
            (None, true, _) if !agent.is_deactivated && !course.is_deactivated => Next::Ask(Ask::Deactivate),
            (None, true, _) if is_over => Next::Ask(Ask::Drain),
            (None, false, Mode::Up) => Next::Ask(Ask::Schedule),
            (None, false, _) if is_over => Next::Ask(Ask::TakeDown),
            _ => {
                let left = self.timeout().saturating_sub(course.waited).as_secs();
                let what = format!("{}, which {left} s are left for", tasks(agent.tasks));
                // That time is up is a reason to go on, and none to give up.
                Next::Wait(what, Duration::MAX)
            }
        }
    }

    fn draining(&self, agent: &Agent, course: Course) -> Next {
        let limit = self.timeout().saturating_add(ACKNOWLEDGE_LIMIT);
        match agent.tasks {
            _ if course.since_ended < limit => {
                let what = match agent.tasks {
                    0 => "no task runs there, and the master does not call it drained yet: frameworks have to acknowledge that their tasks ended".to_owned(),
                    left => format!("{}, which were asked to end", tasks(left)),
                };
                Next::Wait(what, Duration::MAX)
            }
            0 => Next::Done(Drained {
                why: Some("not every framework has acknowledged that its tasks have ended".to_owned()),
                ..Drained::by(DrainedBy::Drained, course.ended)
            }),
            left => Next::GiveUp(format!(
                "{} {} s after they were asked to end",
                tasks(left),
                course.since_ended.as_secs()
            )),
        }
    }

    /// Has the leading master do it.
    async fn ask(&self, operator: &Operator<'_>, sight: &Sight, ask: Ask) -> Result<(), ActError> {
        let Standing::Registered(agent) = &sight.standing else {
            return Ok(());
        };
        let (name, id) = (&self.node.name, json!({"value": agent.id}));
        let call = |doing: &str, body| {
            let doing = format!("{doing} the Mesos agent of {name} ({})", agent.id);
            async move { operator.post(&doing, "/api/v1", &body).await }
        };
        match ask {
            Ask::Deactivate => {
                let agent = json!({"agent_id": id});
                call(
                    "deactivate",
                    json!({"type": "DEACTIVATE_AGENT", "deactivate_agent": agent}),
                )
                .await
            }
            // A `google.protobuf.Duration`: with any other field than these two, tasks would be ended without any grace.
            Ask::Drain => {
                let grace = json!({"seconds": self.timeout_s.min(LONGEST_GRACE_S)});
                let drain = json!({"agent_id": id, "max_grace_period": grace, "mark_gone": false});
                call("drain", json!({"type": "DRAIN_AGENT", "drain_agent": drain})).await
            }
            Ask::Schedule => {
                let _turn = SCHEDULING.lock().await;
                // As it is now: others' turns have come meanwhile.
                let sight = Sight::of(operator, &self.node).await?;
                match sight.mode {
                    Mode::Up => {
                        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
                        let schedule = sight.schedule.with(agent.machine.clone(), now);
                        let doing = format!("schedule maintenance of {name}");
                        operator.post(&doing, "/maintenance/schedule", &schedule).await
                    }
                    _ => Ok(()),
                }
            }
            Ask::TakeDown => {
                let doing = format!("take {name} down for maintenance");
                operator.post(&doing, "/machine/down", &[&agent.machine]).await
            }
        }
    }

    /// Goes on until there is nothing left to drain.
    pub(crate) async fn drain(&self, ground: &dyn Ground) -> Result<Drained, ActError> {
        let operator = Operator::new(ground, &self.masters);
        let begun = Instant::now();
        let (mut ended_at, mut course) = (begun, Course::default());
        let (mut patience, mut said) = (Patience::default(), String::new());
        loop {
            course.waited = begun.elapsed();
            course.since_ended = ended_at.elapsed();
            let acted = match Sight::of(&operator, &self.node).await {
                Err(error) => Err(error),
                Ok(sight) => {
                    if let Some(why) = self.why_gone(ground, &sight).await? {
                        return Ok(Drained::absent(course.ended, why));
                    }
                    match self.next(&sight, course) {
                        Next::Done(drained) => return Ok(drained),
                        Next::Wait(what, limit) if course.waited < limit => {
                            self.say(&mut said, what);
                            patience.is_well();
                            tokio::time::sleep(LOOK_EVERY).await;
                            continue;
                        }
                        Next::Wait(what, _) | Next::GiveUp(what) => return Err(self.stuck(&what)),
                        Next::Ask(ask) => {
                            if let (Ask::Drain | Ask::TakeDown, Standing::Registered(agent)) =
                                (ask, &sight.standing)
                            {
                                course.ended = agent.tasks;
                                ended_at = Instant::now();
                            }
                            let asked = self.ask(&operator, &sight, ask).await;
                            course.is_deactivated |= ask == Ask::Deactivate && asked.is_ok();
                            asked
                        }
                    }
                }
            };
            patience.after(acted).await?;
        }
    }

    /// Why the machine does not run, asked only of one whose agent is not heard of.
    async fn why_gone(&self, ground: &dyn Ground, sight: &Sight) -> Result<Option<String>, ActError> {
        let is_silent = match &sight.standing {
            Standing::Absent => false,
            Standing::Expected => true,
            Standing::Registered(agent) => !agent.is_active && !agent.is_deactivated,
        };
        match is_silent {
            true => ground.why_gone(&self.node).await,
            false => Ok(None),
        }
    }

    /// Says how many tasks are left, whenever it is another number.
    fn say(&self, said: &mut String, what: String) {
        let words = what.split(',').next().unwrap_or_default();
        if *words != **said {
            tracing::info!(target: "mesosflow::progress", "{}: {what}", self.node.name);
            *said = words.to_owned();
        }
    }

    fn stuck(&self, what: &str) -> ActError {
        ActError::Unmet {
            what: format!("the Mesos agent of {} is not drained: {what}", self.node.name),
            class: ErrorClass::Operator,
            hint: Some("see to it by Mesos' web page or its frameworks, then `mesosflow resume`".to_owned()),
        }
    }

    /// What there is to show where nothing is left to be done.
    fn seen(&self, sight: &Sight) -> Option<Drained> {
        let at_once = Course::default();
        match self.next(sight, at_once) {
            Next::Done(drained) => Some(drained),
            _ => None,
        }
    }
}

fn tasks(number: u64) -> String {
    match number {
        1 => "1 task is left".to_owned(),
        more => format!("{more} tasks are left"),
    }
}

/// What is borne before an attempt fails: that nobody leads for a while, that answers are lost, that a master refuses what was in order
/// when it was looked, or says that it has done what is not seen.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// Since when nothing is heard.
    since: Option<Instant>,
    refused: u32,
    asked: u32,
}

/// How often a master may refuse, and how often it is asked in all.
const REFUSALS: u32 = 2;
const REQUESTS: u32 = 20;

impl Patience {
    pub(super) fn is_well(&mut self) {
        self.since = None;
    }

    /// Goes on after something was asked, or could not be; gives the error back where there were enough of them.
    pub(super) async fn after(&mut self, acted: Result<(), ActError>) -> Result<(), ActError> {
        let Err(error) = acted else {
            self.is_well();
            self.asked += 1;
            return match self.asked > REQUESTS {
                true => Err(ActError::wrong(
                    "the leading master says again and again that it has done what is not so",
                )),
                false => Ok(()),
            };
        };
        let since = *self.since.get_or_insert_with(Instant::now);
        let is_enough = match error.class() {
            ErrorClass::Transient | ErrorClass::Ambiguous => since.elapsed() >= ELECTION_LIMIT,
            ErrorClass::Permanent => {
                self.refused += 1;
                self.refused > REFUSALS
            }
            ErrorClass::Operator | ErrorClass::Fenced => true,
        };
        if is_enough {
            return Err(error);
        }
        tracing::info!(%error, "looks again");
        tokio::time::sleep(LOOK_EVERY).await;
        Ok(())
    }
}

impl Step for DrainAgent {
    type World = World;
    type Output = Drained;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Drained>, ActError> {
        let operator = Operator::new(cx.world(), &self.masters);
        let sight = Sight::of(&operator, &self.node).await?;
        Ok(self.seen(&sight).map_or(Probe::NotDone, Probe::Done))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Drained, ActError> {
        self.drain(cx.world()).await
    }

    async fn verify(&self, cx: &StepCx<World>, drained: &Drained) -> Result<(), ActError> {
        if drained.why.is_some() {
            // To say why is to have looked.
            return Ok(());
        }
        match self.probe(cx).await? {
            Probe::Done(_) => Ok(()),
            Probe::NotDone => Err(ActError::not_yet(format!(
                "the Mesos agent of {} has been put back to work since it was drained",
                self.node.name
            ))),
        }
    }

    fn limits(&self) -> Limits {
        // To end by themselves, and to be ended.
        let tasks = self.timeout().saturating_mul(2);
        Limits {
            deadline: tasks.saturating_add(ACKNOWLEDGE_LIMIT + EXPECTED_LIMIT + 2 * ELECTION_LIMIT),
            // It looks again by itself, as long as that helps.
            retry: Retry {
                attempts: 3,
                ..Retry::STANDARD
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::{MachineId, Schedule};

    fn step(timeout_s: u64) -> DrainAgent {
        let node: Node = serde_json::from_value(json!({
            "id": "i-1", "name": "demo-slave-1", "role": "slave", "index": 1, "private_ip": "10.0.0.1", "user": "root", "port": 22,
            "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOeX3ESh4aBbC2LCvqgVWgEKhTCYUYHCFqlkGPE1zWPM",
        }))
        .unwrap();
        DrainAgent {
            masters: vec![node.clone()],
            node,
            timeout_s,
        }
    }

    fn sight(is_new: bool, mode: Mode, standing: Standing) -> Sight {
        let version = match is_new {
            true => Version::DRAINS,
            false => Version::BEFORE,
        };
        Sight {
            version,
            standing,
            mode,
            schedule: Schedule::default(),
            ip: "10.0.0.1".into(),
        }
    }

    fn agent(is_deactivated: bool, drain: Option<DrainState>, tasks: u64) -> Standing {
        Standing::Registered(Agent {
            id: "S0".into(),
            machine: MachineId::default(),
            is_active: !is_deactivated,
            is_deactivated,
            drain,
            tasks,
        })
    }

    fn after(waited: u64, since_ended: u64, ended: u64) -> Course {
        Course {
            waited: Duration::from_secs(waited),
            since_ended: Duration::from_secs(since_ended),
            ended,
            is_deactivated: false,
        }
    }

    fn is_wait(next: &Next, word: &str) -> bool {
        matches!(next, Next::Wait(what, _) if what.contains(word))
    }

    #[test]
    fn tasks_have_their_time_and_are_ended_by_a_drain_when_it_is_up() {
        let step = step(100);
        let next = |standing, course| step.next(&sight(true, Mode::Up, standing), course);
        assert_eq!(
            next(agent(false, None, 3), after(0, 0, 0)),
            Next::Ask(Ask::Deactivate)
        );
        let waits = next(agent(true, None, 3), after(99, 99, 0));
        assert!(is_wait(&waits, "3 tasks are left, which 1 s"), "{waits:?}");
        assert_eq!(
            next(agent(true, None, 3), after(100, 0, 0)),
            Next::Ask(Ask::Drain)
        );
        // The last one has ended by itself.
        assert_eq!(next(agent(true, None, 0), after(1, 1, 0)), Next::Ask(Ask::Drain));
        let ending = next(agent(true, Some(DrainState::Draining), 1), after(200, 100, 3));
        assert!(is_wait(&ending, "1 task is left"), "{ending:?}");
        let over = next(agent(true, Some(DrainState::Draining), 1), after(400, 161, 3));
        assert!(matches!(over, Next::GiveUp(what) if what.contains("161 s")));
        let silent = next(agent(true, Some(DrainState::Draining), 0), after(400, 161, 3));
        assert!(matches!(
            silent,
            Next::Done(Drained {
                tasks_ended: 3,
                why: Some(_),
                ..
            })
        ));
        let done = next(agent(true, Some(DrainState::Drained), 0), after(101, 1, 3));
        assert_eq!(done, Next::Done(Drained::by(DrainedBy::Drained, 3)));
    }

    #[test]
    fn before_1_9_the_machine_goes_down_when_no_task_is_left_or_its_time_is_up() {
        let step = step(100);
        let next = |mode, tasks, waited| {
            step.next(
                &sight(false, mode, agent(false, None, tasks)),
                after(waited, 0, 0),
            )
        };
        assert_eq!(next(Mode::Up, 2, 0), Next::Ask(Ask::Schedule));
        for ours in [true, false] {
            let waits = next(Mode::Scheduled { ours }, 2, 99);
            assert!(is_wait(&waits, "2 tasks"), "{waits:?}");
            assert_eq!(next(Mode::Scheduled { ours }, 2, 100), Next::Ask(Ask::TakeDown));
            assert_eq!(next(Mode::Scheduled { ours }, 0, 0), Next::Ask(Ask::TakeDown));
        }
        let down = Mode::Down {
            machine: MachineId::default(),
            ours: true,
        };
        let done = step.next(&sight(false, down, Standing::Absent), after(3, 0, 2));
        assert_eq!(done, Next::Done(Drained::by(DrainedBy::Maintenance, 2)));
    }

    #[test]
    fn who_is_not_there_is_not_drained_and_who_is_expected_is_waited_for() {
        let step = step(10);
        let seen = |standing| step.seen(&sight(true, Mode::Up, standing));
        let absent = seen(Standing::Absent).unwrap();
        assert_eq!(absent.how, DrainedBy::Absent);
        assert!(absent.why.unwrap().contains("not registered"));
        assert_eq!(seen(Standing::Expected), None);
        assert_eq!(seen(agent(false, None, 0)), None);
        let shown = serde_json::to_value(Drained::by(DrainedBy::Drained, 2)).unwrap();
        assert_eq!(shown, json!({"how": "drained", "tasks_ended": 2}));
    }
}
