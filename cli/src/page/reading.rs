//! The histories of runs as pages need them, read once and then only further.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mesosflow_workflow::{Recorded, RunId, Seq, StoreError};
use serde::Serialize;

use super::frame::date;
use crate::render::event;
use crate::text::{cut, one_line};
use crate::views::chronicle::{Chronicle, each_after};
use crate::wiring::Journal;

/// How many characters of an event are shown; errors may carry a node's whole output, which the timeline shows.
const SHOWN: usize = 600;
/// How many runs are kept in mind.
const KEPT: usize = 8;

/// An event, as a page lists it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Line {
    pub(super) seq: u64,
    pub(super) at: String,
    pub(super) kind: &'static str,
    pub(super) step: Option<String>,
    pub(super) item: Option<String>,
    pub(super) text: String,
}

impl Line {
    fn of(recorded: &Recorded) -> Self {
        Self {
            seq: recorded.seq.0,
            at: date(recorded.at),
            kind: recorded.event.kind(),
            step: recorded.event.step().map(ToString::to_string),
            item: recorded.event.item().map(ToString::to_string),
            text: cut(&one_line(&event::words(recorded, None)), SHOWN),
        }
    }
}

/// The history of a run, as far as it was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    pub(super) chronicle: Chronicle,
    /// Oldest first.
    pub(super) lines: Vec<Line>,
}

impl Reading {
    /// All that can be read of a damaged history. What comes behind the damage is listed: when it was is known, and not what led to it.
    pub(super) fn of(events: &[Recorded], behind: &[Recorded]) -> Self {
        let mut reading = Self::default();
        events.iter().for_each(|recorded| reading.read(recorded));
        reading.lines.extend(behind.iter().map(Line::of));
        reading
    }

    fn read(&mut self, recorded: &Recorded) {
        self.chronicle.read(recorded);
        self.lines.push(Line::of(recorded));
    }

    async fn catch_up(&mut self, journal: &Journal, run: RunId) -> Result<(), StoreError> {
        each_after(journal, run, self.chronicle.last, |recorded| self.read(recorded)).await
    }
}

/// The histories that pages were made of lately.
#[derive(Debug, Default)]
pub(crate) struct Readings(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// The journal that they are from.
    journal: String,
    /// How often one was asked for.
    asked: u64,
    /// Each with when it was asked for last.
    of: HashMap<RunId, (u64, Arc<Reading>)>,
}

impl Kept {
    fn get(&mut self, journal: &Journal, run: RunId) -> Option<Arc<Reading>> {
        // Another journal in its place may have the run with another history.
        if self.journal != journal.id() {
            *self = Self {
                journal: journal.id().to_owned(),
                ..Self::default()
            };
        }
        self.of.get(&run).map(|(_, reading)| reading.clone())
    }

    fn put(&mut self, run: RunId, reading: Arc<Reading>) {
        self.asked += 1;
        self.of.insert(run, (self.asked, reading));
        if self.of.len() > KEPT {
            let oldest = self.of.iter().min_by_key(|(_, (asked, _))| *asked);
            let oldest = oldest.map(|(run, _)| *run);
            oldest.and_then(|run| self.of.remove(&run));
        }
    }
}

impl Readings {
    /// The history of a run, up to the event `last`.
    pub(super) async fn of(
        &self,
        journal: &Journal,
        run: RunId,
        last: Seq,
    ) -> Result<Arc<Reading>, StoreError> {
        let known = self.kept().get(journal, run);
        // A journal that was put back may have less of it than was read.
        let known = known.filter(|reading| reading.chronicle.last <= last);
        let reading = match known {
            Some(reading) if reading.chronicle.last == last => reading,
            known => {
                let mut reading = known.map(Arc::unwrap_or_clone).unwrap_or_default();
                reading.catch_up(journal, run).await?;
                Arc::new(reading)
            }
        };
        self.kept().put(run, reading.clone());
        Ok(reading)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
