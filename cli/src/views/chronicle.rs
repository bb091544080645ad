//! The tries of a run's steps and items, generation by generation, as its events tell of them.
//!
//! [`RunState`](mesosflow_workflow::RunState) keeps of each only how it stands now; here is what was on the way.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mesosflow_workflow::{ErrorReport, Event, Generation, ItemKey, Recorded, RunId, Seq, StepId, StoreError};

use crate::wiring::Journal;

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// It has not.
    Open,
    /// It reached its aim.
    Reached,
    /// It failed.
    Failed(ErrorReport),
    /// Whoever made it went away in the middle of it.
    Lost,
}

/// One try of a step or an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Try {
    pub(crate) from: Timestamp,
    /// When it ended; of one that has not, when the run was last heard of.
    pub(crate) to: Timestamp,
    pub(crate) end: End,
}

/// The tries of a step of one generation, and of its items.
#[derive(Debug, Clone, Default)]
pub(crate) struct Track {
    pub(crate) own: Vec<Try>,
    pub(crate) items: BTreeMap<ItemKey, Vec<Try>>,
}

impl Track {
    /// From its first try's start to its last one's end; none where it has none.
    pub(crate) fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let tries = || self.own.iter().chain(self.items.values().flatten());
        let from = tries().map(|one| one.from).min()?;
        let to = tries().map(|one| one.to).max()?;
        Some((from, to))
    }

    fn of(&mut self, item: Option<&ItemKey>) -> &mut Vec<Try> {
        match item {
            None => &mut self.own,
            Some(item) => self.items.entry(item.clone()).or_default(),
        }
    }
}

/// One generation of a run.
#[derive(Debug, Clone)]
pub(crate) struct Passage {
    pub(crate) generation: Generation,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) tracks: BTreeMap<StepId, Track>,
    /// When somebody took the run over within it, and since when nobody had driven it.
    pub(crate) taken_over: Vec<(Timestamp, Timestamp)>,
}

/// The tries of a run, as far as its events were read.
#[derive(Debug, Clone)]
pub(crate) struct Chronicle {
    /// Oldest first; never empty once an event was read.
    pub(crate) passages: Vec<Passage>,
    /// The last event that was read.
    pub(crate) last: Seq,
}

impl Default for Chronicle {
    fn default() -> Self {
        Self {
            passages: Vec::new(),
            last: Seq(0),
        }
    }
}

/// How many events are read at a time.
const PAGE: usize = 4096;

/// Shows the events of a run after that one, in their order.
pub(crate) async fn each_after(
    journal: &Journal,
    run: RunId,
    mut last: Seq,
    mut show: impl FnMut(&Recorded),
) -> Result<(), StoreError> {
    loop {
        let page = journal.read(run, last, PAGE).await?;
        page.iter().for_each(&mut show);
        match page.last() {
            Some(recorded) if page.len() == PAGE => last = recorded.seq,
            _ => return Ok(()),
        }
    }
}

impl Chronicle {
    /// The rest of a run's events. A damaged one ends it: what comes before is read, and the damage is the error.
    pub(crate) async fn catch_up(&mut self, journal: &Journal, run: RunId) -> Result<(), StoreError> {
        each_after(journal, run, self.last, |recorded| self.read(recorded)).await
    }

    /// What is still under way in the newest generation goes on until then.
    pub(crate) fn until(&mut self, now: Timestamp) {
        if let Some(newest) = self.passages.last_mut() {
            newest.until(now);
        }
    }

    /// One event more, in their order.
    pub(crate) fn read(&mut self, recorded: &Recorded) {
        self.last = recorded.seq;
        let at = recorded.at;
        let before = self.passages.last().map(|passage| passage.to);
        if self.passages.last().map(|passage| passage.generation) != Some(recorded.generation) {
            self.passages.push(Passage {
                generation: recorded.generation,
                from: at,
                to: at,
                tracks: BTreeMap::new(),
                taken_over: Vec::new(),
            });
        }
        let Some(passage) = self.passages.last_mut() else {
            return;
        };
        match &recorded.event {
            Event::StepStarted { step, item, .. } => {
                let tries = passage.tracks.entry(step.clone()).or_default();
                tries.of(item.as_ref()).push(Try {
                    from: at,
                    to: at,
                    end: End::Open,
                });
            }
            Event::StepSucceeded { step, item, .. } => passage.end(step, item.as_ref(), at, End::Reached),
            Event::StepFailed {
                step, item, error, ..
            } => passage.end(step, item.as_ref(), at, End::Failed(error.clone())),
            Event::RunAdopted { .. } => {
                let since = before.unwrap_or(at);
                passage.lose(since);
                passage.taken_over.push((since, at));
            }
            Event::RunInterrupted { .. }
            | Event::RunFailed { .. }
            | Event::RunSucceeded
            | Event::RunPartial { .. }
            | Event::RunClosed { .. } => passage.lose(at),
            _ => {}
        }
        passage.to = passage.to.max(at);
    }
}

impl Passage {
    fn end(&mut self, step: &StepId, item: Option<&ItemKey>, at: Timestamp, end: End) {
        let tries = self.tracks.entry(step.clone()).or_default().of(item);
        match tries.last_mut() {
            Some(open) if open.end == End::Open => (open.to, open.end) = (at, end),
            // Its beginning is in an earlier generation.
            _ => tries.push(Try {
                from: at,
                to: at,
                end,
            }),
        }
    }

    /// What is under way ended with whoever drove it.
    fn lose(&mut self, at: Timestamp) {
        for track in self.tracks.values_mut() {
            for one in track.own.iter_mut().chain(track.items.values_mut().flatten()) {
                if one.end == End::Open {
                    (one.to, one.end) = (at, End::Lost);
                }
            }
        }
    }

    /// What is still under way goes on until then.
    fn until(&mut self, now: Timestamp) {
        let mut is_open = false;
        for track in self.tracks.values_mut() {
            for one in track.own.iter_mut().chain(track.items.values_mut().flatten()) {
                if one.end == End::Open {
                    one.to = now.max(one.from);
                    is_open = true;
                }
            }
        }
        if is_open {
            self.to = self.to.max(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::history::history;
    use super::*;

    fn chronicle(events: usize) -> Chronicle {
        let mut chronicle = Chronicle::default();
        for recorded in &history()[..events] {
            chronicle.read(recorded);
        }
        chronicle
    }

    #[test]
    fn each_try_is_there_with_its_end() {
        let chronicle = chronicle(history().len());
        let generations: Vec<_> = chronicle
            .passages
            .iter()
            .map(|passage| passage.generation.0)
            .collect();
        assert_eq!(generations, [1, 2]);
        let first = &chronicle.passages[0];
        let nodes = &first.tracks[&StepId::from_static("await-nodes")];
        let slave = &nodes.items[&ItemKey::from("demo-slave-1")];
        assert!(matches!(slave[0].end, End::Failed(_)));
        assert_eq!(slave[1].end, End::Reached);
        assert_eq!(nodes.span().unwrap().1, nodes.own[0].to);
        assert_eq!(first.taken_over.len(), 1);
    }

    #[test]
    fn what_was_under_way_when_its_driver_went_is_lost_then() {
        let mut events = history();
        // `hdfs-format` has begun, and then somebody else comes.
        events.truncate(14);
        let adopted = history()[16].clone();
        let mut chronicle = Chronicle::default();
        for recorded in &events {
            chronicle.read(recorded);
        }
        let step = StepId::from_static("hdfs-format");
        let open = chronicle.passages[0].tracks[&step].own[0].clone();
        assert_eq!(open.end, End::Open);
        let mut now = chronicle.passages[0].clone();
        now.until(adopted.at);
        assert_eq!(now.tracks[&step].own[0].to, adopted.at);
        chronicle.read(&adopted);
        let lost = &chronicle.passages[0].tracks[&step].own[0];
        assert_eq!((&lost.end, lost.to), (&End::Lost, events[13].at));
    }
}
