//! What is verified before a journal is used: a damaged history must stop the program, not steer it.

use std::collections::BTreeMap;
use std::path::Path;

use mesosflow_workflow::{Event, StoreError};
use rusqlite::Connection;

use crate::error::sqlite;
use crate::row::{COLUMNS, EventRow, time};

/// What a row of `runs` claims about the history beside it.
struct Claim {
    number: i64,
    cluster: String,
    provider: String,
    created_at: String,
    epoch: i64,
    /// How many of its events were seen so far.
    events: i64,
}

/// Verifies the whole file as it stands in one transaction: SQLite's own check of its pages, and that every history is
/// without gaps and to the byte what was written.
///
/// # Errors
///
/// [`StoreError::NewerFormat`] where an event is in a format that this build does not know, [`StoreError::Corrupt`]
/// with the first thing that is wrong.
pub(crate) fn check(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let fail = |error: rusqlite::Error| sqlite("check", path, &error);
    let transaction = connection.transaction().map_err(fail)?;
    pages(&transaction, path)?;
    histories(&transaction, path)?;
    transaction.finish().map_err(fail)
}

fn pages(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let fail = |error: rusqlite::Error| sqlite("check", path, &error);
    let mut statement = connection.prepare("PRAGMA quick_check(3)").map_err(fail)?;
    let lines: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .and_then(Iterator::collect)
        .map_err(fail)?;
    if lines == ["ok"] {
        Ok(())
    } else {
        Err(corrupt(path, lines.join("; ")))
    }
}

fn histories(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let fail = |error: rusqlite::Error| sqlite("check", path, &error);
    let mut claims = claims(connection).map_err(fail)?;
    let mut statement = connection
        .prepare(&format!("SELECT {COLUMNS}, place FROM events ORDER BY place"))
        .map_err(fail)?;
    let mut rows = statement.query([]).map_err(fail)?;
    while let Some(row) = rows.next().map_err(fail)? {
        // A text that is not UTF-8 or a column of another type is damage, not a failure to read.
        let unreadable = |error| match error {
            error @ rusqlite::Error::SqliteFailure(..) => fail(error),
            other => corrupt(path, other),
        };
        let place: i64 = row.get("place").map_err(unreadable)?;
        let row = EventRow::read(row).map_err(unreadable)?;
        row.verify().map_err(|error| locate(path, error))?;
        let run = &row.run;
        let Some(claim) = claims.get_mut(run) else {
            return Err(corrupt(
                path,
                format_args!("event {} of an unknown run `{run}`", row.seq),
            ));
        };
        if row.seq == 1 {
            beginning(claim, &row).map_err(|error| locate(path, error))?;
        }
        if row.seq != claim.events + 1 || place >> 32 != claim.number {
            let missing = claim.events + 1;
            return Err(corrupt(
                path,
                format_args!("event {missing} of run `{run}` is not in its place"),
            ));
        }
        if row.epoch > claim.epoch {
            return Err(corrupt(
                path,
                format_args!("event {} of run `{run}` is of an epoch to come", row.seq),
            ));
        }
        claim.events = row.seq;
    }
    match claims.iter().find(|(_, claim)| claim.events == 0) {
        Some((run, _)) => Err(corrupt(path, format_args!("run `{run}` has no events"))),
        None => Ok(()),
    }
}

fn claims(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Claim>> {
    let mut statement =
        connection.prepare("SELECT run, number, cluster, provider, created_at, epoch FROM runs")?;
    let rows = statement.query_map([], |row| {
        let claim = Claim {
            number: row.get(1)?,
            cluster: row.get(2)?,
            provider: row.get(3)?,
            created_at: row.get(4)?,
            epoch: row.get(5)?,
            events: 0,
        };
        Ok((row.get(0)?, claim))
    })?;
    rows.collect()
}

/// The first event of a run says what the list of runs says.
fn beginning(claim: &Claim, row: &EventRow) -> Result<(), StoreError> {
    let first = row.decode()?;
    let agree = matches!(
        &first.event,
        Event::RunStarted { cluster, provider, .. } if *cluster == claim.cluster && *provider == claim.provider
    );
    if agree && time(first.at) == claim.created_at {
        return Ok(());
    }
    Err(StoreError::Corrupt(format!(
        "run `{}` does not begin as the list of runs says",
        row.run
    )))
}

fn corrupt(path: &Path, what: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("`{}`: {what}", path.display()))
}

fn locate(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Corrupt(what) => corrupt(path, what),
        other => other,
    }
}
