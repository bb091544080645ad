//! The maintenance schedule, of which a cluster has one: what operators have put there stays as it is.
//!
//! Posting a schedule replaces the one before, and nothing tells whether somebody else was quicker: who changes it reads it right
//! before, and looks right after.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// How long our windows last, in nanoseconds: an hour, and by what follows it they are known as ours, since nobody else's say so.
const OUR_DURATION: u64 = 3_600_000_005_050;

/// A machine, as its agent tells of itself: Mesos knows it by both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MachineId {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) hostname: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) ip: String,
}

/// Machines that are away together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Window {
    #[serde(default)]
    machine_ids: Vec<MachineId>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// All windows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Schedule {
    #[serde(default)]
    windows: Vec<Window>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// How a machine stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It is not there.
    Up,
    /// It is: frameworks know of it.
    Scheduled {
        /// Whether that is by us alone.
        ours: bool,
    },
    /// It is down: no agent of it may register.
    Down {
        /// As it was named when it was taken down.
        machine: MachineId,
        /// Whether it stands in the schedule by us alone.
        ours: bool,
    },
}

/// `/maintenance/status`, as far as it concerns us.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Status {
    #[serde(default)]
    down_machines: Vec<MachineId>,
}

impl Window {
    fn is_ours(&self) -> bool {
        let duration = &self.rest.get("unavailability").unwrap_or(&Value::Null)["duration"]["nanoseconds"];
        self.machine_ids.len() == 1 && *duration == OUR_DURATION
    }
}

impl Schedule {
    fn window_of(&self, is: &impl Fn(&MachineId) -> bool) -> Option<&Window> {
        self.windows
            .iter()
            .find(|window| window.machine_ids.iter().any(is))
    }

    /// How the machine at this address stands; of one whose agent is known, by its name too.
    pub(super) fn mode(&self, status: &Status, ip: &str, hostname: Option<&str>) -> Mode {
        let is = |machine: &MachineId| {
            machine.ip == ip && hostname.is_none_or(|name| machine.hostname.eq_ignore_ascii_case(name))
        };
        // An agent that is registered is on no machine that is down, whoever had the address before.
        let down = status.down_machines.iter().find(|machine| is(machine));
        match (down, self.window_of(&is)) {
            (Some(machine), window) => Mode::Down {
                machine: machine.clone(),
                ours: window.is_none_or(Window::is_ours),
            },
            (None, Some(window)) => Mode::Scheduled {
                ours: window.is_ours(),
            },
            (None, None) => Mode::Up,
        }
    }

    /// The same with a window of ours for a machine from that moment on, nanoseconds since 1970.
    pub(crate) fn with(mut self, machine: MachineId, start: u64) -> Self {
        let unavailability = json!({
            "start": {"nanoseconds": start},
            "duration": {"nanoseconds": OUR_DURATION},
        });
        self.windows.push(Window {
            machine_ids: vec![machine],
            rest: Map::from_iter([("unavailability".to_owned(), unavailability)]),
        });
        self
    }

    /// The same with the machine in the window that it had `before`, which it leaves when it is up again.
    pub(crate) fn restored(mut self, before: &Self, machine: &MachineId) -> Self {
        let Some(theirs) = before.window_of(&|other: &MachineId| other == machine) else {
            return self;
        };
        let (machine, rest) = (machine.clone(), theirs.rest.clone());
        match self.windows.iter_mut().find(|window| window.rest == rest) {
            Some(window) => window.machine_ids.push(machine),
            None => self.windows.push(Window {
                machine_ids: vec![machine],
                rest,
            }),
        }
        self
    }

    /// The same without our windows for the machine at this address.
    pub(crate) fn without(mut self, ip: &str) -> Self {
        self.windows.retain(|window| {
            !(window.is_ours() && window.machine_ids.iter().all(|machine| machine.ip == ip))
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(number: u8) -> MachineId {
        MachineId {
            hostname: format!("s{number}"),
            ip: format!("10.0.0.{number}"),
        }
    }

    /// As Mesos 1.11 answers.
    fn theirs() -> Schedule {
        serde_json::from_value(json!({"windows": [{
            "machine_ids": [{"hostname": "S1", "ip": "10.0.0.1"}, {"hostname": "s2", "ip": "10.0.0.2"}],
            "unavailability": {"start": {"nanoseconds": 1_443_830_400_000_000_000_u64}, "duration": {"nanoseconds": 3_600_000_000_000_u64}},
        }]}))
        .unwrap()
    }

    #[test]
    fn ours_is_added_and_taken_away_and_theirs_stays() {
        let empty: Schedule = serde_json::from_str("{}").unwrap();
        for before in [theirs(), empty] {
            let both = before.clone().with(machine(3), 7);
            let read: Schedule = serde_json::from_str(&serde_json::to_string(&both).unwrap()).unwrap();
            assert_eq!(read, both);
            assert_eq!(both.clone().without("10.0.0.3"), before);
            assert_eq!(both.clone().without("10.0.0.1"), both);
        }
    }

    #[test]
    fn a_machine_gets_back_into_the_window_that_it_had_and_no_other_is_changed() {
        let before = theirs();
        let mut up = before.clone().with(machine(3), 7);
        up.windows[0].machine_ids.pop();
        let restored = up.clone().restored(&before, &machine(2));
        assert_eq!(restored, before.clone().with(machine(3), 7));
        up.windows.remove(0);
        let alone = up.clone().restored(&before, &machine(2));
        assert_eq!(alone.windows[1].rest, before.windows[0].rest);
        assert_eq!(alone.windows[1].machine_ids, [machine(2)]);
        assert_eq!(up.clone().restored(&before, &machine(9)), up);
    }

    #[test]
    fn a_machine_stands_where_its_agent_says_it_is() {
        let schedule = theirs().with(machine(3), 7);
        let none = Status::default();
        let mode = |ip: &str, name| schedule.mode(&none, ip, name);
        assert_eq!(mode("10.0.0.1", Some("s1")), Mode::Scheduled { ours: false });
        assert_eq!(mode("10.0.0.1", Some("another")), Mode::Up);
        assert_eq!(mode("10.0.0.3", None), Mode::Scheduled { ours: true });
        assert_eq!(mode("10.0.0.4", None), Mode::Up);
        let status: Status = serde_json::from_value(json!({
            "draining_machines": [{"id": {"hostname": "s3", "ip": "10.0.0.3"}}],
            "down_machines": [{"hostname": "S1", "ip": "10.0.0.1"}],
        }))
        .unwrap();
        let down = Mode::Down {
            machine: MachineId {
                hostname: "S1".to_owned(),
                ip: "10.0.0.1".to_owned(),
            },
            ours: false,
        };
        assert_eq!(schedule.mode(&status, "10.0.0.1", None), down);
    }
}
