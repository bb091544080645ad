//! How an agent stands, as the leading master says.

use serde::Deserialize;

use super::ask::Operator;
use super::schedule::{MachineId, Mode, Schedule, Status};
use crate::act::ActError;
use crate::cluster::Node;

/// A version of Mesos, as far as it decides anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u32, u32);

impl Version {
    /// Since then agents are drained, deactivated and reactivated by their masters.
    pub(crate) const DRAINS: Self = Self(1, 9);
    /// One that does not.
    #[cfg(test)]
    pub(crate) const BEFORE: Self = Self(1, 3);
}

/// How an agent stands with the leading master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// That one does not know it: it has never registered, has unregistered, or was not heard of for too long.
    Absent,
    /// That one leads since a moment ago, and expects it back.
    Expected,
    /// It is registered.
    Registered(Agent),
}

/// A registered agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agent {
    /// Mesos' id.
    pub(crate) id: String,
    /// The machine that it says it is on.
    pub(crate) machine: MachineId,
    /// Whether it is heard of, and gets tasks.
    pub(crate) is_active: bool,
    /// Whether an operator has taken it out of work.
    pub(crate) is_deactivated: bool,
    /// Whether it is or was drained.
    pub(crate) drain: Option<DrainState>,
    /// How many tasks it has.
    pub(crate) tasks: u64,
}

/// How far a drain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum DrainState {
    /// Tasks are being ended.
    #[serde(rename = "DRAINING")]
    Draining,
    /// None is left, and all frameworks know.
    #[serde(rename = "DRAINED")]
    Drained,
    /// It is none.
    #[serde(other)]
    Unknown,
}

/// All that is seen at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Sight {
    pub(crate) version: Version,
    pub(crate) standing: Standing,
    /// How its machine stands in the maintenance schedule.
    pub(crate) mode: Mode,
    pub(crate) schedule: Schedule,
    /// The address by which that one knows the machine.
    pub(crate) ip: String,
}

#[derive(Deserialize)]
struct Versioned {
    version: String,
}

#[derive(Clone, Deserialize)]
struct Slaves {
    slaves: Vec<Slave>,
    #[serde(default)]
    recovered_slaves: Vec<Recovered>,
}

#[derive(Clone, Deserialize)]
struct Slave {
    id: String,
    /// `slave(1)@ADDRESS:PORT`
    pid: String,
    #[serde(default)]
    hostname: String,
    active: bool,
    #[serde(default)]
    deactivated: bool,
    drain_info: Option<DrainInfo>,
}

#[derive(Clone, Deserialize)]
struct Recovered {
    #[serde(default)]
    hostname: String,
}

#[derive(Clone, Deserialize)]
struct DrainInfo {
    state: DrainState,
}

#[derive(Deserialize)]
struct Summary {
    slaves: Vec<Counted>,
}

/// The tasks of an agent that have not ended.
#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct Counted {
    #[serde(rename = "id")]
    id: String,
    #[serde(default)]
    task_staging: u64,
    #[serde(default)]
    task_starting: u64,
    #[serde(default)]
    task_running: u64,
    #[serde(default)]
    task_killing: u64,
}

impl Counted {
    const fn tasks(&self) -> u64 {
        self.task_staging + self.task_starting + self.task_running + self.task_killing
    }
}

impl Sight {
    /// Looks how the agent of a node stands.
    ///
    /// # Errors
    /// No master leads, or can be asked, or understood.
    pub(crate) async fn of(operator: &Operator<'_>, node: &Node) -> Result<Self, ActError> {
        let doing = format!("look how the Mesos agent of {} stands", node.name);
        let paths = [
            "/version",
            "/slaves",
            "/state-summary",
            "/maintenance/schedule",
            "/maintenance/status",
        ];
        let [versioned, slaves, summary, schedule, status] = operator.get(&doing, paths).await?;
        let versioned: Versioned = versioned.read("its version")?;
        let standing = standing(node, slaves.read("its agents")?, &summary.read("their tasks")?);
        let schedule: Schedule = schedule.read("the maintenance schedule")?;
        let status: Status = status.read("maintenance")?;
        let (ip, name) = match &standing {
            Standing::Registered(agent) => (agent.machine.ip.clone(), Some(agent.machine.hostname.as_str())),
            _ => (node.private_ip.to_string(), None),
        };
        Ok(Self {
            mode: schedule.mode(&status, &ip, name),
            ip,
            version: version(&versioned.version),
            standing,
            schedule,
        })
    }
}

/// How the agents of these nodes stand, in their order.
///
/// # Errors
/// As [`Sight::of`].
pub(crate) async fn standings(operator: &Operator<'_>, nodes: &[Node]) -> Result<Vec<Standing>, ActError> {
    let doing = "look how the Mesos agents stand";
    let [slaves, summary] = operator.get(doing, ["/slaves", "/state-summary"]).await?;
    let (slaves, summary): (Slaves, Summary) = (slaves.read("its agents")?, summary.read("their tasks")?);
    let all = nodes.iter();
    Ok(all.map(|node| standing(node, slaves.clone(), &summary)).collect())
}

/// What is no version has nothing new.
fn version(text: &str) -> Version {
    let mut numbers = text
        .split(|letter: char| !letter.is_ascii_digit())
        .map(|number| number.parse().unwrap_or(0));
    Version(numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// A node's agent by its address or, where the node has moved, by the name that it keeps. One that came back under another id is
/// known twice: the one that is heard of counts.
fn standing(node: &Node, known: Slaves, summary: &Summary) -> Standing {
    let place = format!("@{}:", node.private_ip);
    let its = known.slaves.into_iter();
    let its = its.filter(|slave| slave.pid.contains(&place) || slave.hostname == node.name);
    let best = its.max_by_key(|slave| (slave.active, slave.deactivated, slave.pid.contains(&place)));
    let is_expected = || {
        known
            .recovered_slaves
            .iter()
            .any(|slave| slave.hostname == node.name)
    };
    match best {
        Some(slave) => Standing::Registered(agent(slave, summary)),
        None if is_expected() => Standing::Expected,
        None => Standing::Absent,
    }
}

fn agent(slave: Slave, summary: &Summary) -> Agent {
    let counted = summary.slaves.iter().find(|counted| counted.id == slave.id);
    let (_, place) = slave.pid.split_once('@').unwrap_or_default();
    let (ip, _) = place.rsplit_once(':').unwrap_or_default();
    Agent {
        tasks: counted.map_or(0, Counted::tasks),
        machine: MachineId {
            hostname: slave.hostname,
            ip: ip.to_owned(),
        },
        id: slave.id,
        is_active: slave.active,
        // An agent that is drained is deactivated, whether or not a version says so.
        is_deactivated: slave.deactivated || slave.drain_info.is_some(),
        drain: slave.drain_info.map(|info| info.state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Node {
        serde_json::from_value(serde_json::json!({
            "id": "i-1", "name": "demo-slave-1", "role": "slave", "index": 1, "private_ip": "10.0.0.1", "user": "root", "port": 22,
            "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOeX3ESh4aBbC2LCvqgVWgEKhTCYUYHCFqlkGPE1zWPM",
        }))
        .unwrap()
    }

    /// What `/slaves` and `/state-summary` of 1.11.0 say, shortened.
    const SLAVES: &str = r#"{"recovered_slaves":[],"slaves":[{"active":false,"attributes":{},"capabilities":["AGENT_DRAINING"],
        "deactivated":true,"domain":null,"drain_info":{"config":{"mark_gone":false,"max_grace_period":{"nanoseconds":600000000000}},
        "state":"DRAINING"},"estimated_drain_start_time_seconds":1764170000,"hostname":"demo-slave-1","id":"9b7f-S0",
        "pid":"slave(1)@10.0.0.1:5051","port":5051,"registered_time":1764160000.5,"resource_providers":[],
        "resources":{"cpus":2.0,"disk":1.0,"gpus":0.0,"mem":1024.0,"ports":"[31000-32000]"},"version":"1.11.0"}]}"#;
    const SUMMARY: &str = r#"{"cluster":"demo","frameworks":[],"hostname":"m1","slaves":[{"TASK_DROPPED":0,"TASK_ERROR":0,"TASK_FAILED":1,
        "TASK_FINISHED":3,"TASK_GONE":0,"TASK_KILLED":0,"TASK_KILLING":2,"TASK_LOST":0,"TASK_RUNNING":1,"TASK_STAGING":0,
        "TASK_STARTING":1,"TASK_UNREACHABLE":0,"active":false,"framework_ids":[],"id":"9b7f-S0","pid":"slave(1)@10.0.0.1:5051"}]}"#;

    fn seen(slaves: &str) -> Standing {
        let summary = serde_json::from_str(SUMMARY).unwrap();
        standing(&node(), serde_json::from_str(slaves).unwrap(), &summary)
    }

    #[test]
    fn a_draining_agent_is_seen_with_the_tasks_that_it_has() {
        let Standing::Registered(agent) = seen(SLAVES) else {
            panic!("{:?}", seen(SLAVES))
        };
        assert_eq!((agent.id.as_str(), agent.tasks), ("9b7f-S0", 4));
        assert_eq!(
            (agent.drain, agent.is_deactivated, agent.is_active),
            (Some(DrainState::Draining), true, false)
        );
        assert_eq!(
            (agent.machine.hostname.as_str(), agent.machine.ip.as_str()),
            ("demo-slave-1", "10.0.0.1")
        );
    }

    #[test]
    fn one_of_an_older_version_says_less() {
        let old = r#"{"slaves":[{"active":true,"hostname":"demo-slave-1","id":"x","pid":"slave(1)@10.0.0.1:5051"}]}"#;
        let Standing::Registered(agent) = seen(old) else {
            panic!("{:?}", seen(old))
        };
        assert_eq!(
            (agent.is_active, agent.is_deactivated, agent.drain, agent.tasks),
            (true, false, None, 0)
        );
    }

    #[test]
    fn an_agent_that_is_expected_back_is_not_absent() {
        let none = r#"{"slaves":[],"recovered_slaves":[]}"#;
        assert_eq!(seen(none), Standing::Absent);
        let back = r#"{"slaves":[],"recovered_slaves":[{"id":"x","hostname":"demo-slave-1","port":5051,"attributes":{}}]}"#;
        assert_eq!(seen(back), Standing::Expected);
        // Another's, though its address begins alike.
        let other = r#"{"slaves":[{"active":true,"hostname":"o","id":"x","pid":"slave(1)@10.0.0.11:5051"}]}"#;
        assert_eq!(seen(other), Standing::Absent);
    }

    #[test]
    fn one_that_is_known_twice_is_the_one_that_is_heard_of() {
        let twice = r#"{"slaves":[{"active":false,"hostname":"demo-slave-1","id":"a","pid":"slave(1)@10.0.0.1:5051"},
            {"active":true,"hostname":"demo-slave-1","id":"b","pid":"slave(1)@10.0.0.1:5051"}]}"#;
        assert!(matches!(seen(twice), Standing::Registered(agent) if agent.id == "b"));
    }

    #[test]
    fn versions_are_numbers() {
        for new in ["1.9.0", "1.11.0", "1.11.0-standin", "2.0"] {
            assert!(version(new) >= Version::DRAINS, "{new}");
        }
        for old in ["1.3.2", "1.8.1", "0.28.2", "unknown"] {
            assert!(version(old) < Version::DRAINS, "{old}");
        }
    }
}
