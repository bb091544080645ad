//! When nobody drove a run: between a driver's last event and the next one's first. What a step took is told without that.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The pauses of a run, in order; none touches another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses(Vec<(Timestamp, Timestamp)>);

impl Pauses {
    /// One more, unless a clock that was set back makes it none.
    pub(crate) fn push(&mut self, from: Timestamp, to: Timestamp) {
        match self.0.last_mut() {
            Some((_, end)) if *end >= from => *end = to.max(*end),
            _ if from < to => self.0.push((from, to)),
            _ => {}
        }
    }

    /// How much of the time from `from` to `to` they take.
    pub(crate) fn within(&self, from: Timestamp, to: Timestamp) -> Duration {
        let first = self.0.partition_point(|(_, end)| *end <= from);
        let meant = self.0[first..].iter().take_while(|(start, _)| *start < to);
        meant
            .map(|(start, end)| between(from.max(*start), to.min(*end)))
            .sum()
    }
}

pub(crate) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_lies_in_a_pause_does_not_count() {
        let mut pauses = Pauses::default();
        for (from, to) in [(10, 20), (20, 30), (40, 40), (50, 60), (70, 65)] {
            pauses.push(at(from), at(to));
        }
        assert_eq!(pauses.0, [(at(10), at(30)), (at(50), at(60))]);
        for (from, to, paused) in [
            (0, 10, 0),
            (0, 100, 30),
            (15, 25, 10),
            (25, 55, 10),
            (30, 50, 0),
            (60, 90, 0),
            (55, 0, 0),
        ] {
            let within = pauses.within(at(from), at(to));
            assert_eq!(within.as_secs(), paused, "from {from} to {to}");
        }
    }
}
