//! A generation of a run on an axis of time: a bar for each step and, within it, for those of its items that say the most.
//!
//! Time in which nobody drove the run has no place on the axis: a night between a failure and its `resume` would leave nothing to be
//! seen of the rest. Where it was is marked.

use std::time::Duration;

use jiff::Timestamp;
use mesosflow_workflow::{ErrorReport, ItemKey, RunState, StepId, StepState};
use serde::Serialize;

use super::chronicle::{End, Passage, Track, Try};
use super::critical::{CriticalPath, critical_path};
use crate::render::duration;

/// How many items of a step are shown for having taken the longest, and for having failed.
const SLOWEST: usize = 12;
const FAILED: usize = 40;
/// How many marks the axis has at most.
const MARKS: u32 = 8;
/// What is shorter than this part of the axis, in percent, is drawn as wide.
const THINNEST: f64 = 0.25;

/// One generation, drawn.
#[derive(Debug, Serialize)]
pub(crate) struct Timeline {
    pub(crate) generation: String,
    pub(crate) started_at: Timestamp,
    /// What it took while it was driven.
    pub(crate) took: String,
    pub(crate) marks: Vec<Mark>,
    /// When somebody took the run over, and for how long nobody had driven it.
    pub(crate) pauses: Vec<Mark>,
    pub(crate) bars: Vec<Bar>,
    /// The steps of the catalogue that this generation had nothing to do with.
    pub(crate) untouched: Vec<String>,
    pub(crate) path: Vec<PathStep>,
    pub(crate) path_took: String,
}

/// A place on the axis.
#[derive(Debug, Serialize)]
pub(crate) struct Mark {
    /// Percent of the axis.
    pub(crate) left: f64,
    pub(crate) label: String,
}

/// A step.
#[derive(Debug, Serialize)]
pub(crate) struct Bar {
    pub(crate) step: String,
    pub(crate) title: String,
    pub(crate) notes: String,
    /// As `status` has it; of an earlier generation, how its last try ended there.
    pub(crate) state: &'static str,
    pub(crate) took: String,
    pub(crate) attempts: usize,
    /// Whether the end waited for it.
    pub(crate) is_critical: bool,
    pub(crate) pieces: Vec<Piece>,
    /// Why it was skipped or is stale.
    pub(crate) reason: Option<String>,
    pub(crate) error: Option<Told>,
    pub(crate) items: Option<Items>,
}

/// A try, drawn.
#[derive(Debug, Serialize)]
pub(crate) struct Piece {
    /// Percent of the axis.
    pub(crate) left: f64,
    pub(crate) width: f64,
    /// `succeeded`, `failed`, `running` or `lost`.
    pub(crate) end: &'static str,
    pub(crate) label: String,
}

/// What went wrong.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Told {
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hint: Option<String>,
}

/// The items of a step: all counted, few shown.
#[derive(Debug, Serialize)]
pub(crate) struct Items {
    pub(crate) count: usize,
    pub(crate) succeeded: usize,
    pub(crate) failed: usize,
    pub(crate) running: usize,
    pub(crate) median: String,
    pub(crate) longest: String,
    /// Those that failed, by name, then those that took the longest, slowest first.
    pub(crate) shown: Vec<Item>,
    /// How many are not shown.
    pub(crate) hidden: usize,
}

/// An item of a step.
#[derive(Debug, Serialize)]
pub(crate) struct Item {
    pub(crate) key: String,
    pub(crate) state: &'static str,
    pub(crate) took: String,
    pub(crate) attempts: usize,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) error: Option<Told>,
}

/// A step on the critical path.
#[derive(Debug, Serialize)]
pub(crate) struct PathStep {
    pub(crate) step: String,
    pub(crate) took: String,
    pub(crate) share: String,
    pub(crate) item: Option<String>,
    pub(crate) waited: Option<String>,
}

/// The axis of a generation.
struct Axis<'a> {
    state: &'a RunState,
    from: Timestamp,
    whole: Duration,
}

impl Axis<'_> {
    /// Percent of the axis.
    fn place(&self, at: Timestamp) -> f64 {
        self.part(self.state.driven(self.from, at))
    }

    fn part(&self, took: Duration) -> f64 {
        let whole = self.whole.as_secs_f64();
        let part = if whole > 0.0 {
            100.0 * took.as_secs_f64() / whole
        } else {
            0.0
        };
        round(part.clamp(0.0, 100.0))
    }

    fn took(&self, one: &Try) -> Duration {
        self.state.driven(one.from, one.to)
    }

    fn pieces(&self, tries: &[Try]) -> Vec<Piece> {
        let draw = |(number, one): (usize, &Try)| {
            let (end, word) = match &one.end {
                End::Open => ("running", "under way"),
                End::Reached => ("succeeded", "succeeded"),
                End::Failed(_) => ("failed", "failed"),
                End::Lost => ("lost", "its driver went away"),
            };
            let took = self.took(one);
            let width = self.part(took).max(THINNEST);
            Piece {
                left: self.place(one.from).min(100.0 - width),
                width,
                end,
                label: format!("attempt {}: {word}, {}", number + 1, duration::text(took)),
            }
        };
        tries.iter().enumerate().map(draw).collect()
    }

    /// Marks at round times.
    fn marks(&self) -> Vec<Mark> {
        let seconds = self.whole.as_secs_f64();
        let step = [
            1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 86_400,
        ]
        .into_iter()
        .find(|step| seconds / f64::from(*step) <= f64::from(MARKS))
        .unwrap_or(604_800_u32);
        (0..=MARKS)
            .map(|number| Duration::from_secs((step * number).into()))
            .take_while(|at| *at <= self.whole)
            .map(|at| Mark {
                left: self.part(at),
                label: round_time(at),
            })
            .collect()
    }
}

/// Percent with two decimals: thousands of bars are drawn.
fn round(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

/// `0`, `30 s`, `5 min`, `2 h`.
fn round_time(at: Duration) -> String {
    match at.as_secs() {
        0 => "0".to_owned(),
        seconds if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds if seconds > 60 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{seconds} s"),
    }
}

impl Timeline {
    /// A generation of the run that stands as `state`; `named` gives a hint the run's id.
    pub(crate) fn of(state: &RunState, passage: &Passage, named: &dyn Fn(&str) -> String) -> Self {
        let axis = Axis {
            state,
            from: passage.from,
            whole: state.driven(passage.from, passage.to),
        };
        let path = critical_path(state, passage);
        let is_current = state.generation == passage.generation;
        let mut bars = Vec::new();
        let mut untouched = Vec::new();
        for step in state.steps.iter().chain(&state.dropped) {
            let track = passage.tracks.get(&step.entry.id);
            let current = is_current && step.progress.generation == passage.generation;
            match track {
                None if !(current && step.reason().is_some()) => untouched.push(step.entry.id.to_string()),
                track => bars.push((
                    track.and_then(Track::span),
                    bar(&axis, step, track, current, &path, named),
                )),
            }
        }
        // As they began; what has not, as the catalogue has it, behind them.
        bars.sort_by_key(|(span, _)| (span.is_none(), span.map(|(from, _)| from)));
        let pauses = passage.taken_over.iter().map(|(since, at)| Mark {
            left: axis.place(*at),
            label: format!("taken over, after {} in which nobody drove it", {
                duration::text(Duration::try_from(at.duration_since(*since)).unwrap_or_default())
            }),
        });
        Self {
            generation: passage.generation.to_string(),
            started_at: passage.from,
            took: duration::text(axis.whole),
            marks: axis.marks(),
            pauses: pauses.collect(),
            bars: bars.into_iter().map(|(_, bar)| bar).collect(),
            untouched,
            path_took: duration::text(Duration::from_millis(path.on_path_ms)),
            path: told(&path),
        }
    }
}

/// The path, in the words of the page.
fn told(path: &CriticalPath) -> Vec<PathStep> {
    let text = |ms| duration::text(Duration::from_millis(ms));
    let tell = |step: &super::critical::Critical| PathStep {
        step: step.step.to_string(),
        took: text(step.duration_ms),
        share: format!("{:.0} %", path.share(step)),
        item: step.item.as_ref().map(ToString::to_string),
        waited: (step.waited_ms >= 1000).then(|| text(step.waited_ms)),
    };
    path.steps.iter().map(tell).collect()
}

fn bar(
    axis: &Axis<'_>,
    step: &StepState,
    track: Option<&Track>,
    is_current: bool,
    path: &CriticalPath,
    named: &dyn Fn(&str) -> String,
) -> Bar {
    let empty = Track::default();
    let track = track.unwrap_or(&empty);
    let span = track.span().map(|(from, to)| axis.state.driven(from, to));
    let progress = &step.progress;
    let error = progress
        .error
        .as_ref()
        .filter(|_| is_current && !progress.status.is_valid());
    let is_critical = |id: &StepId| path.steps.iter().any(|on| on.step == *id);
    Bar {
        step: step.entry.id.to_string(),
        title: step.entry.title.clone(),
        notes: step.entry.notes.clone(),
        state: match is_current {
            true => progress.status.as_str(),
            false => ended(&track.own),
        },
        took: span.map(duration::text).unwrap_or_default(),
        attempts: track.own.len(),
        is_critical: is_critical(&step.entry.id),
        pieces: axis.pieces(&track.own),
        reason: step.reason().filter(|_| is_current).map(str::to_owned),
        error: error
            .or_else(|| failure(&track.own))
            .map(|error| Told::of(error, named)),
        items: (!track.items.is_empty()).then(|| items(axis, track, named)),
    }
}

/// How the last try ended, as `status` calls that.
fn ended(tries: &[Try]) -> &'static str {
    match tries.last().map(|one| &one.end) {
        None => "pending",
        Some(End::Open) => "running",
        Some(End::Reached) => "succeeded",
        Some(End::Failed(_)) => "failed",
        Some(End::Lost) => "lost",
    }
}

/// Why the last try failed, where it did.
fn failure(tries: &[Try]) -> Option<&ErrorReport> {
    match &tries.last()?.end {
        End::Failed(error) => Some(error),
        _ => None,
    }
}

impl Told {
    pub(crate) fn of(error: &ErrorReport, named: &dyn Fn(&str) -> String) -> Self {
        Self {
            message: error.message.clone(),
            causes: error.causes.clone(),
            hint: error.hint.as_deref().map(named),
        }
    }
}

fn items(axis: &Axis<'_>, track: &Track, named: &dyn Fn(&str) -> String) -> Items {
    let mut all: Vec<_> = track
        .items
        .iter()
        .map(|(key, tries)| (key, tries.as_slice(), ended(tries), lasted(axis, tries)))
        .collect();
    let count = |state: &str| all.iter().filter(|(_, _, ended, _)| *ended == state).count();
    let (succeeded, failed, running) = (
        count("succeeded"),
        count("failed") + count("lost"),
        count("running"),
    );
    let mut times: Vec<_> = all.iter().map(|(.., took)| *took).collect();
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let longest = times.last().copied().unwrap_or_default();
    // Stable: what failed is by name, as the map has it.
    let has_failed = |state: &str| matches!(state, "failed" | "lost");
    all.sort_by_key(|(_, _, state, took)| match has_failed(state) {
        true => (0, Duration::ZERO),
        false => (1, Duration::MAX.saturating_sub(*took)),
    });
    let shown = failed.min(FAILED) + SLOWEST;
    let failures = all
        .iter()
        .filter(|(_, _, state, _)| has_failed(state))
        .take(FAILED);
    let others = all.iter().filter(|(_, _, state, _)| !has_failed(state));
    let shown: Vec<_> = failures
        .chain(others)
        .take(shown)
        .map(|(key, tries, state, took)| item(axis, key, tries, (state, *took), named))
        .collect();
    Items {
        count: all.len(),
        succeeded,
        failed,
        running,
        median: duration::text(median),
        longest: duration::text(longest),
        hidden: all.len() - shown.len(),
        shown,
    }
}

/// From its first try's start to its last one's end.
fn lasted(axis: &Axis<'_>, tries: &[Try]) -> Duration {
    match (tries.first(), tries.last()) {
        (Some(first), Some(last)) => axis.state.driven(first.from, last.to),
        _ => Duration::ZERO,
    }
}

fn item(
    axis: &Axis<'_>,
    key: &ItemKey,
    tries: &[Try],
    (state, took): (&'static str, Duration),
    named: &dyn Fn(&str) -> String,
) -> Item {
    Item {
        key: key.to_string(),
        state,
        took: duration::text(took),
        attempts: tries.len(),
        pieces: axis.pieces(tries),
        error: failure(tries).map(|error| Told::of(error, named)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::chronicle::Chronicle;
    use super::super::history::history;
    use super::*;

    fn drawn(events: usize) -> (RunState, Vec<Timeline>) {
        let events = &history()[..events];
        let state = RunState::fold(events).unwrap();
        let mut chronicle = Chronicle::default();
        events.iter().for_each(|recorded| chronicle.read(recorded));
        let named = |hint: &str| hint.to_owned();
        let all = chronicle
            .passages
            .iter()
            .map(|passage| Timeline::of(&state, passage, &named));
        let all = all.collect();
        (state, all)
    }

    #[test]
    fn a_generation_is_drawn() {
        let (_, all) = drawn(16);
        insta::assert_snapshot!(serde_json::to_string_pretty(&all[0]).unwrap());
    }

    #[test]
    fn every_piece_lies_on_the_axis() {
        for events in 1..=history().len() {
            for bar in drawn(events).1.iter().flat_map(|timeline| &timeline.bars) {
                let items = bar.items.iter().flat_map(|items| &items.shown);
                for piece in bar.pieces.iter().chain(items.flat_map(|item| &item.pieces)) {
                    assert!(piece.left >= 0.0 && piece.width > 0.0, "{piece:?}");
                    assert!(piece.left + piece.width <= 100.01, "{piece:?}");
                }
            }
        }
    }

    #[test]
    fn of_a_thousand_items_those_are_shown_that_say_the_most() {
        let (state, _) = drawn(16);
        let from = state.started_at;
        let second = |seconds: u64| from + Duration::from_secs(seconds);
        let mut track = Track::default();
        for number in 0..1000_u64 {
            let end = match number % 100 {
                7 => End::Failed(mesosflow_workflow::ErrorReport::new(
                    mesosflow_workflow::ErrorClass::Permanent,
                    "no space left",
                )),
                _ => End::Reached,
            };
            let one = Try {
                from,
                to: second(number + 1),
                end,
            };
            track
                .items
                .insert(ItemKey::from(format!("slave-{number:04}").as_str()), vec![one]);
        }
        let axis = Axis {
            state: &state,
            from,
            whole: Duration::from_secs(1000),
        };
        let items = items(&axis, &track, &|hint| hint.to_owned());
        assert_eq!((items.count, items.succeeded, items.failed), (1000, 990, 10));
        assert_eq!(items.shown.len() + items.hidden, 1000);
        assert_eq!(items.shown[0].key, "slave-0007");
        assert_eq!(items.shown[9].key, "slave-0907");
        assert_eq!(items.shown[10].key, "slave-0999");
        assert_eq!(items.shown.len(), 10 + SLOWEST);
    }

    #[test]
    fn the_axis_has_round_marks() {
        let (state, _) = drawn(16);
        let labels = |seconds| {
            let axis = Axis {
                state: &state,
                from: state.started_at,
                whole: Duration::from_secs(seconds),
            };
            let labels: Vec<_> = axis.marks().into_iter().map(|mark| mark.label).collect();
            labels.join(" ")
        };
        assert_eq!(labels(43), "0 10 s 20 s 30 s 40 s");
        assert_eq!(labels(700), "0 2 min 4 min 6 min 8 min 10 min");
        assert_eq!(
            labels(7_200),
            "0 15 min 30 min 45 min 1 h 75 min 90 min 105 min 2 h"
        );
        assert_eq!(labels(0), "0");
    }
}
