//! What the sections of the deploy notes took.

use std::time::Duration;

use jiff::Timestamp;
use mesosflow_workflow::{RunState, Status, StepState};
use serde::Serialize;

use crate::wiring;

/// The sections, in the order in which they wait for one another, and how the numbers of their steps begin.
const SECTIONS: [(&str, &str); 3] = [("provision", "1."), ("set-up", "2."), ("checks", "-")];

/// A section of the deploy notes, and what it took.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PhaseView {
    pub(crate) name: &'static str,
    /// Milliseconds in which one of its steps was under way, tries and the waits between them included.
    pub(crate) duration_ms: u64,
}

/// A step of the current generation, in its section.
struct Span {
    section: usize,
    from: Timestamp,
    to: Timestamp,
}

/// What each section took in the current generation, by the clock: what its steps did side by side counts once, and the time
/// in which nobody drove the run not at all. Where steps of two sections are under way, as when a machine is made anew while a
/// failed step waits for it, the time is the earlier section's: all of them are never more than the whole.
pub(crate) fn phases(state: &RunState) -> Vec<PhaseView> {
    // Other workflows are in no notes.
    if state.workflow != wiring::FOUNDS {
        return Vec::new();
    }
    let spans: Vec<_> = state.steps.iter().filter_map(|step| span(state, step)).collect();
    let mut edges: Vec<_> = spans.iter().flat_map(|span| [span.from, span.to]).collect();
    edges.sort_unstable();
    edges.dedup();
    let mut took = SECTIONS.map(|_| Duration::ZERO);
    for pair in edges.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let under_way = spans.iter().filter(|span| span.from <= from && to <= span.to);
        if let Some(section) = under_way.map(|span| span.section).min() {
            took[section] += state.driven(from, to);
        }
    }
    let has_run = |section| spans.iter().any(|span| span.section == section);
    let timed = SECTIONS.iter().zip(took).enumerate();
    timed
        .filter(|(section, _)| has_run(*section))
        .map(|(_, ((name, _), took))| PhaseView {
            name,
            duration_ms: milliseconds(took),
        })
        .collect()
}

/// When a step of the current generation was under way; of one that still is, until its driver was last heard of.
fn span(state: &RunState, step: &StepState) -> Option<Span> {
    let progress = &step.progress;
    // The report stands in section 1 of the notes and is made at the end of all.
    let section = SECTIONS
        .iter()
        .position(|(_, notes)| step.entry.notes.starts_with(notes) && step.entry.notes != "1.7")?;
    if progress.generation != state.generation || progress.status == Status::Stale {
        return None;
    }
    let to = match progress.status {
        Status::Running => state.moved_at,
        _ => progress.finished_at?,
    };
    Some(Span {
        section,
        from: progress.started_at?,
        to,
    })
}

/// A duration as JSON has it.
pub(crate) fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use mesosflow_workflow::{
        CatalogueEntry, ClusterId, EVENT_FORMAT, Epoch, Event, Generation, How, Purpose, Recorded, RunId,
        Seq, StepId,
    };
    use serde_json::Value;

    use super::*;

    const HOUR: i64 = 3600;

    /// What happens at a second of the run.
    enum Do {
        Start(&'static str),
        End(&'static str),
        /// The driver was killed before, and here is the next.
        Adopt,
        Lose(&'static str),
    }
    use Do::{Adopt, End, Lose, Start};

    fn run() -> RunId {
        "01arz3ndektsv4rrffq69g5fav".parse().unwrap()
    }

    fn story(story: &[(i64, Do)]) -> RunState {
        let catalogue = [
            ("launch-slaves", "1.4"),
            ("nfs-export", "2.15"),
            ("hdfs-format", "2.17"),
            ("cluster-health", "-"),
            ("report", "1.7"),
        ]
        .map(|(id, notes)| CatalogueEntry::new(StepId::from_static(id), notes, ""));
        let begun = Event::RunStarted {
            workflow: "deploy".into(),
            cluster: "demo".into(),
            cluster_id: Some(ClusterId::of_run(run())),
            provider: "local".into(),
            spec: Value::Null,
            tool_version: "0.1.0".into(),
            catalogue: catalogue.into(),
            nonce: None,
            over: Vec::new(),
        };
        let mut recorded = Recorded {
            run: run(),
            seq: Seq::FIRST,
            at: Timestamp::UNIX_EPOCH,
            epoch: Epoch::FIRST,
            generation: Generation::FIRST,
            format: EVENT_FORMAT,
            event: begun,
        };
        let mut state = RunState::begin(&recorded).unwrap();
        for (second, what) in story {
            recorded.seq = recorded.seq.next();
            recorded.at = Timestamp::from_second(*second).unwrap();
            let step = |id: &&'static str| StepId::from_static(id);
            recorded.event = match what {
                Start(id) => {
                    let (attempt, effect_key) = state.next_try(&step(id), None);
                    Event::StepStarted {
                        step: step(id),
                        item: None,
                        attempt,
                        input: Value::Null,
                        input_digest: "d".into(),
                        effect_key,
                    }
                }
                End(id) => Event::StepSucceeded {
                    step: step(id),
                    item: None,
                    attempt: mesosflow_workflow::Attempt(state.step(&step(id)).unwrap().progress.attempts),
                    output: Value::Null,
                    how: How::Applied,
                },
                Lose(id) => Event::StepStale {
                    left: false,
                    step: step(id),
                    item: None,
                    reason: "lost".into(),
                },
                Adopt => {
                    recorded.epoch = Epoch(recorded.epoch.0 + 1);
                    Event::RunAdopted {
                        purpose: Purpose::Drive,
                        pid: 1,
                        host: "h".into(),
                        nonce: None,
                        over: Vec::new(),
                    }
                }
            };
            state.apply(&recorded).unwrap();
        }
        state
    }

    fn seconds(state: &RunState) -> Vec<(&'static str, u64)> {
        let told = phases(state).into_iter();
        told.map(|phase| (phase.name, phase.duration_ms / 1000)).collect()
    }

    #[test]
    fn what_runs_side_by_side_counts_once_and_the_report_not_at_all() {
        let state = story(&[
            (0, Start("launch-slaves")),
            (5, End("launch-slaves")),
            (5, Start("nfs-export")),
            (6, Start("hdfs-format")),
            (9, End("nfs-export")),
            (15, End("hdfs-format")),
            (15, Start("cluster-health")),
            (18, End("cluster-health")),
            (18, Start("report")),
            (19, End("report")),
        ]);
        assert_eq!(seconds(&state), [("provision", 5), ("set-up", 10), ("checks", 3)]);
    }

    #[test]
    fn the_hours_between_a_kill_and_its_resume_are_nobodys() {
        let state = story(&[
            (0, Start("launch-slaves")),
            (5, End("launch-slaves")),
            (5, Start("hdfs-format")),
            (7, Start("nfs-export")),
            (9 * HOUR, Adopt),
            (9 * HOUR + 1, Start("hdfs-format")),
            (9 * HOUR + 4, End("hdfs-format")),
        ]);
        assert_eq!(seconds(&state), [("provision", 5), ("set-up", 2 + 4)]);
        let format = &state.step(&StepId::from_static("hdfs-format")).unwrap().progress;
        assert_eq!(state.took(format), Some(Duration::from_secs(2 + 4)));
    }

    #[test]
    fn what_two_sections_took_together_is_the_earlier_ones() {
        let state = story(&[
            (0, Start("launch-slaves")),
            (5, End("launch-slaves")),
            (5, Start("nfs-export")),
            (8, Lose("launch-slaves")),
            (9, Start("launch-slaves")),
            (20, End("launch-slaves")),
            (26, End("nfs-export")),
        ]);
        // The lost machines' own five seconds are gone with them.
        assert_eq!(seconds(&state), [("provision", 11), ("set-up", 21 - 11)]);
    }
}
