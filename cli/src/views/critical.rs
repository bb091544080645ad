//! The critical path of a generation: the chain of steps, each of which began when the one before it had ended, that the end waited for.
//!
//! It is read from the clock, not from the workflow's text: of the steps that had ended before a step began, that which ended last is
//! the one it waited for. A step that ran beside others and ended before them is not on it, however long it took.

use std::time::Duration;

use jiff::Timestamp;
use mesosflow_workflow::{Generation, ItemKey, RunState, StepId};
use serde::Serialize;

use super::chronicle::{Passage, Track, Try};
use super::phases::milliseconds;

/// The critical path of a generation, in the order in which it went.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CriticalPath {
    pub(crate) generation: Generation,
    /// From the generation's first event to its last, without the time in which nobody drove the run.
    pub(crate) duration_ms: u64,
    /// What the steps on the path took of that.
    pub(crate) on_path_ms: u64,
    pub(crate) steps: Vec<Critical>,
}

/// A step on the critical path.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Critical {
    pub(crate) step: StepId,
    /// Its item that ended last, in a fan-out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) item: Option<ItemKey>,
    /// What that item took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) item_ms: Option<u64>,
    pub(crate) started_at: Timestamp,
    pub(crate) finished_at: Timestamp,
    pub(crate) duration_ms: u64,
    /// The time between the end of the step before and its own beginning.
    pub(crate) waited_ms: u64,
}

/// A try of a step: what lies between two of them is nobody's work.
struct Bar<'p> {
    step: &'p StepId,
    track: &'p Track,
    from: Timestamp,
    to: Timestamp,
}

/// The critical path of one generation of the run that stands as `state`.
pub(crate) fn critical_path(state: &RunState, passage: &Passage) -> CriticalPath {
    let took = |from, to| milliseconds(state.driven(from, to));
    let tries = passage.tracks.iter().flat_map(|(step, track)| {
        track.own.iter().map(move |one| Bar {
            step,
            track,
            from: one.from,
            to: one.to,
        })
    });
    let mut bars: Vec<_> = tries.collect();
    // Of those that end together, the one that began first explains more.
    bars.sort_by_key(|bar| (bar.to, std::cmp::Reverse(bar.from)));
    let mut steps = Vec::new();
    let mut before = passage.to;
    while let Some(bar) = bars.pop() {
        if bar.to > before {
            continue;
        }
        before = bar.from;
        let last = last_item(&bar);
        steps.push(Critical {
            step: bar.step.clone(),
            item: last.map(|(item, ..)| item.clone()),
            item_ms: last.map(|(_, from, to)| took(from, to)),
            started_at: bar.from,
            finished_at: bar.to,
            duration_ms: took(bar.from, bar.to),
            waited_ms: 0,
        });
    }
    steps.reverse();
    let mut before = passage.from;
    for step in &mut steps {
        step.waited_ms = took(before, step.started_at);
        before = step.finished_at;
    }
    CriticalPath {
        generation: passage.generation,
        duration_ms: took(passage.from, passage.to),
        on_path_ms: steps.iter().map(|step| step.duration_ms).sum(),
        steps,
    }
}

/// The item that ended last within a try of its step, and from when to when it was under way there.
fn last_item<'p>(bar: &Bar<'p>) -> Option<(&'p ItemKey, Timestamp, Timestamp)> {
    let within = |one: &&Try| bar.from <= one.from && one.to <= bar.to;
    let under_way = bar.track.items.iter().filter_map(|(item, tries)| {
        let first = tries.iter().find(within)?;
        let last = tries.iter().rfind(within)?;
        Some((item, first.from, last.to))
    });
    under_way.max_by_key(|(.., to)| *to)
}

impl CriticalPath {
    /// Which part of the whole a step took, in percent.
    pub(crate) fn share(&self, step: &Critical) -> f64 {
        let whole = Duration::from_millis(self.duration_ms).as_secs_f64();
        let part = Duration::from_millis(step.duration_ms).as_secs_f64();
        if whole > 0.0 { 100.0 * part / whole } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::chronicle::{Chronicle, End};
    use super::super::history::history;
    use super::*;

    fn at(second: i64) -> Timestamp {
        history()[0].at + Duration::from_secs(second.unsigned_abs())
    }

    fn passage(bars: &[(&'static str, i64, i64)]) -> Passage {
        let track = |from, to| Track {
            own: vec![Try {
                from: at(from),
                to: at(to),
                end: End::Reached,
            }],
            items: BTreeMap::new(),
        };
        Passage {
            generation: Generation::FIRST,
            from: at(0),
            to: at(100),
            tracks: bars
                .iter()
                .map(|(step, from, to)| (StepId::from_static(step), track(*from, *to)))
                .collect(),
            taken_over: Vec::new(),
        }
    }

    fn state() -> RunState {
        RunState::fold(&history()[..16]).unwrap()
    }

    fn names(path: &CriticalPath) -> Vec<&str> {
        path.steps.iter().map(|step| step.step.as_str()).collect()
    }

    #[test]
    fn of_steps_side_by_side_the_one_that_the_next_waited_for_is_on_it() {
        // `long` ran beside `slow`, took more of the whole, and nobody waited for its end.
        let path = critical_path(
            &state(),
            &passage(&[
                ("first", 0, 10),
                ("slow", 10, 60),
                ("long", 5, 58),
                ("quick", 10, 20),
                ("last", 61, 100),
            ]),
        );
        assert_eq!(names(&path), ["first", "slow", "last"]);
        assert_eq!(path.on_path_ms, 99_000);
        assert_eq!(path.steps[2].waited_ms, 1_000);
        assert!((path.share(&path.steps[1]) - 50.0).abs() < 0.1);
    }

    #[test]
    fn what_lies_between_two_tries_is_not_on_it() {
        let mut passage = passage(&[("first", 0, 10), ("other", 10, 60), ("again", 10, 20)]);
        let again = passage.tracks.get_mut(&StepId::from_static("again")).unwrap();
        again.own.push(Try {
            from: at(70),
            to: at(100),
            end: End::Reached,
        });
        let path = critical_path(&state(), &passage);
        assert_eq!(names(&path), ["first", "other", "again"]);
        assert_eq!(path.on_path_ms, 90_000);
        assert_eq!(path.steps[2].waited_ms, 10_000);
    }

    #[test]
    fn a_chain_of_steps_that_took_no_time_ends() {
        let path = critical_path(&state(), &passage(&[("a", 0, 0), ("b", 0, 0), ("c", 100, 100)]));
        assert_eq!(path.steps.len(), 3);
        assert_eq!(critical_path(&state(), &passage(&[])).steps.len(), 0);
    }

    #[test]
    fn its_steps_name_the_item_that_ended_last() {
        let mut chronicle = Chronicle::default();
        history()[..16]
            .iter()
            .for_each(|recorded| chronicle.read(recorded));
        let path = critical_path(&state(), &chronicle.passages[0]);
        assert_eq!(names(&path), ["launch-slaves", "await-nodes", "hdfs-format"]);
        assert_eq!(path.steps[1].item, Some(ItemKey::from("demo-slave-1")));
        assert_eq!(path.steps[1].item_ms, Some(68_598));
    }

    #[test]
    fn the_time_in_which_nobody_drove_the_run_is_not_on_it() {
        let mut events = history();
        events.truncate(17);
        let state = RunState::fold(&events).unwrap();
        let mut chronicle = Chronicle::default();
        events.iter().for_each(|recorded| chronicle.read(recorded));
        let path = critical_path(&state, &chronicle.passages[0]);
        // The run ended at 72.001 s, and was taken over at 80 s.
        assert_eq!(path.duration_ms, 72_001);
    }
}
