//! Reading histories: page by page, each event verified as it is read.
//!
//! Nothing is verified ahead of its use, so that opening a journal does not take longer the more it holds. What is read
//! is verified to the byte: an event against its digest, its place and the one before it, the end of a history against
//! what the row of its run claims. So damage stops the run that has it, where it has it, and no other.

use std::path::Path;

use mesosflow_workflow::{Recorded, RunId, Seq, StoreError};
use rusqlite::{Connection, OptionalExtension};

use crate::column::integer;
use crate::error::{damaged, of_run, sqlite};
use crate::row::{COLUMNS, EventRow, LAST_SEQ, OF_RUN};

/// Which events of which run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) run: RunId,
    /// Its number in this journal.
    pub(crate) number: i64,
    /// The event before the first.
    pub(crate) after: Seq,
    /// How many at most.
    pub(crate) limit: usize,
    /// The last event's number at least: a history that ends before it has lost its end.
    pub(crate) claimed: Seq,
}

impl Page {
    /// All events of a run whose row claims nothing.
    pub(crate) const fn whole(run: RunId, number: i64) -> Self {
        Self {
            run,
            number,
            after: Seq(0),
            limit: usize::MAX,
            claimed: Seq(0),
        }
    }
}

/// The number of the last event of the run with number `number`.
pub(crate) fn last_seq(connection: &Connection, number: i64) -> rusqlite::Result<Option<Seq>> {
    connection
        .prepare_cached(&format!(
            "SELECT seq FROM events WHERE {OF_RUN} ORDER BY place DESC LIMIT 1"
        ))?
        .query_row([number, 0], |row| row.get(0))
        .optional()
        .map(|seq| seq.map(|seq: i64| Seq(seq.unsigned_abs())))
}

/// Calls `visit` with each event of `page` in order, until one is damaged. Returns the number of the last one.
pub(crate) fn walk(
    connection: &Connection,
    path: &Path,
    page: &Page,
    mut visit: impl FnMut(Recorded),
) -> Result<Seq, StoreError> {
    let run = page.run;
    let fail = |error: rusqlite::Error| of_run(run, path, &error);
    let mut last = page.after;
    if last.0 >= LAST_SEQ {
        return Ok(last);
    }
    let mut select = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, place FROM events WHERE {OF_RUN} ORDER BY place LIMIT ?3"
        ))
        .map_err(|error| sqlite("read", path, &error))?;
    let after = integer(page.after.0);
    let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
    let mut rows = select.query([page.number, after, limit]).map_err(fail)?;
    let mut count = 0;
    while let Some(row) = rows.next().map_err(fail)? {
        let expected = last.next();
        let place: i64 = row.get("place").map_err(fail)?;
        let row = EventRow::read(row).map_err(|error| match of_run(run, path, &error) {
            StoreError::DamagedRun { what, .. } => damaged(run, format_args!("event {expected}: {what}")),
            error => error,
        })?;
        if place & 0xffff_ffff != row.seq || row.seq.unsigned_abs() != expected.0 {
            return Err(damaged(run, format_args!("event {expected} is not in its place")));
        }
        visit(row.decode(run)?);
        last = expected;
        count += 1;
    }
    if count < page.limit && last < page.claimed {
        return Err(damaged(run, format_args!("event {} is missing", last.next())));
    }
    if last == Seq(0) && page.limit > 0 {
        // A run exists with its first event or not at all.
        return Err(damaged(run, "event 1 is missing"));
    }
    Ok(last)
}
