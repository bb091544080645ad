//! An event as a row: the columns that queries need, the whole event as JSON, and a digest of all of it.

use std::sync::Arc;

use mesosflow_workflow::{EVENT_FORMAT, Epoch, Event, Generation, Recorded, RunId, Seq, StoreError};

use crate::column::{digest, integer, time};
use crate::error::damaged;

/// The columns of an event, in the order in which [`EventRow::read`] takes them.
pub(crate) const COLUMNS: &str =
    "run, seq, at, epoch, generation, kind, step, item, attempt, format, body, digest";

/// The condition for the events of the run with number `?1`, behind event `?2`.
pub(crate) const OF_RUN: &str = "place > (?1 << 32) + ?2 AND place <= (?1 << 32) + 4294967295";

/// The largest number that an event can have: a place has 32 bits for it.
pub(crate) const LAST_SEQ: u64 = 4_294_967_295;

/// A row of the table `events`.
#[derive(Debug, Clone)]
pub(crate) struct EventRow {
    pub(crate) run: String,
    pub(crate) seq: i64,
    pub(crate) at: String,
    pub(crate) epoch: i64,
    pub(crate) generation: i64,
    pub(crate) kind: String,
    pub(crate) step: Option<String>,
    pub(crate) item: Option<String>,
    pub(crate) attempt: Option<i64>,
    pub(crate) format: i64,
    pub(crate) body: String,
    pub(crate) digest: Vec<u8>,
}

impl EventRow {
    /// The row of `recorded`.
    pub(crate) fn encode(recorded: &Arc<Recorded>) -> Result<Self, StoreError> {
        let fail = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Unusable {
            doing: format!(
                "cannot write event {} of run `{}` as JSON",
                recorded.seq, recorded.run
            ),
            source,
        };
        let mut row = Self {
            run: recorded.run.to_string(),
            seq: i64::try_from(recorded.seq.0).map_err(|error| fail(error.into()))?,
            at: time(recorded.at),
            epoch: i64::try_from(recorded.epoch.0).map_err(|error| fail(error.into()))?,
            generation: recorded.generation.0.into(),
            kind: recorded.event.kind().to_owned(),
            step: recorded.event.step().map(ToString::to_string),
            item: recorded.event.item().map(ToString::to_string),
            attempt: attempt(&recorded.event),
            format: recorded.format.into(),
            body: serde_json::to_string(&recorded.event).map_err(|error| fail(error.into()))?,
            digest: Vec::new(),
        };
        row.digest = row.compute_digest();
        Ok(row)
    }

    /// The row under a cursor of a query for [`COLUMNS`].
    pub(crate) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            run: row.get(0)?,
            seq: row.get(1)?,
            at: row.get(2)?,
            epoch: row.get(3)?,
            generation: row.get(4)?,
            kind: row.get(5)?,
            step: row.get(6)?,
            item: row.get(7)?,
            attempt: row.get(8)?,
            format: row.get(9)?,
            body: row.get(10)?,
            digest: row.get(11)?,
        })
    }

    /// The event of this row, which is to belong to `run`.
    pub(crate) fn decode(&self, run: RunId) -> Result<Recorded, StoreError> {
        self.verify(run)?;
        let damaged = |what: &dyn std::fmt::Display| damaged(run, format_args!("event {}: {what}", self.seq));
        let event: Event = serde_json::from_str(&self.body).map_err(|error| damaged(&error))?;
        if event.kind() != self.kind {
            return Err(damaged(&format_args!(
                "`{}` is filed as `{}`",
                event.kind(),
                self.kind
            )));
        }
        Ok(Recorded {
            run,
            seq: Seq(u64::try_from(self.seq).map_err(|error| damaged(&error))?),
            at: self.at.parse().map_err(|error| damaged(&error))?,
            epoch: Epoch(u64::try_from(self.epoch).map_err(|error| damaged(&error))?),
            generation: Generation(u32::try_from(self.generation).map_err(|error| damaged(&error))?),
            format: u16::try_from(self.format).map_err(|error| damaged(&error))?,
            event,
        })
    }

    /// Checks that every byte is as it was written, for `run`, and that this build knows the event's format.
    pub(crate) fn verify(&self, run: RunId) -> Result<(), StoreError> {
        if self.digest != self.compute_digest() || self.run != run.to_string() {
            return Err(damaged(
                run,
                format_args!("event {} is not what was written", self.seq),
            ));
        }
        if self.format > EVENT_FORMAT.into() {
            return Err(StoreError::NewerFormat {
                found: self.format.unsigned_abs(),
                supported: EVENT_FORMAT.into(),
            });
        }
        Ok(())
    }

    /// The same row under another epoch.
    pub(crate) fn at_epoch(&self, epoch: Epoch) -> Self {
        let mut row = Self {
            epoch: integer(epoch.0),
            ..self.clone()
        };
        row.digest = row.compute_digest();
        row
    }

    /// SHA-256 over all the other columns, each behind its length. SQLite's own check sees a broken page, not a
    /// changed letter.
    fn compute_digest(&self) -> Vec<u8> {
        digest(
            &[
                self.seq,
                self.epoch,
                self.generation,
                self.attempt.unwrap_or(-1),
                self.format,
            ],
            &[
                Some(&self.run),
                Some(&self.at),
                Some(&self.kind),
                self.step.as_deref(),
                self.item.as_deref(),
                Some(&self.body),
            ],
        )
    }
}

fn attempt(event: &Event) -> Option<i64> {
    match event {
        Event::StepStarted { attempt, .. }
        | Event::StepSucceeded { attempt, .. }
        | Event::StepFailed { attempt, .. } => Some(attempt.0.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesosflow_workflow::contract::{first, next};

    #[test]
    fn a_row_decodes_to_the_event_that_it_was_made_of() {
        let begin = first("demo");
        for recorded in [begin.clone(), next(&begin, 2)] {
            let row = EventRow::encode(&recorded).unwrap();
            assert_eq!(row.decode(begin.run).unwrap(), *recorded);
            let later = row.at_epoch(Epoch(9)).decode(begin.run).unwrap();
            assert_eq!(
                later,
                Recorded {
                    epoch: Epoch(9),
                    ..Recorded::clone(&recorded)
                }
            );
        }
    }

    #[test]
    fn any_changed_column_is_noticed() {
        let begin = first("demo");
        let change = |change: fn(&mut EventRow)| {
            let mut row = EventRow::encode(&next(&begin, 2)).unwrap();
            change(&mut row);
            row.decode(begin.run)
        };
        let changes: [fn(&mut EventRow); 9] = [
            |row| row.seq += 1,
            |row| row.at = row.at.replace("2026", "2025"),
            |row| row.epoch += 1,
            |row| row.generation += 1,
            |row| row.step = None,
            |row| row.item = Some("other".to_owned()),
            |row| row.attempt = None,
            |row| row.body = row.body.replace("i-2", "i-3"),
            |row| row.digest.truncate(31),
        ];
        for (index, case) in changes.into_iter().enumerate() {
            assert!(
                matches!(change(case), Err(StoreError::DamagedRun { .. })),
                "change {index}"
            );
        }
        assert!(matches!(
            change(|row| row.format = 9),
            Err(StoreError::DamagedRun { .. })
        ));
        assert!(matches!(
            change(|row| {
                row.format = 9;
                row.digest = row.compute_digest();
            }),
            Err(StoreError::NewerFormat { found: 9, .. })
        ));
        let row = EventRow::encode(&next(&begin, 2)).unwrap();
        assert!(matches!(
            row.decode(first("other").run),
            Err(StoreError::DamagedRun { .. })
        ));
    }
}
