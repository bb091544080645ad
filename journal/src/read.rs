//! Reading histories: page by page, each event verified as it is read.
//!
//! Nothing is verified ahead of its use, so that opening a journal does not take longer the more it holds. What is read
//! is verified to the byte: an event against its digest, its place and the one before it, the end of a history against
//! what the row of its run claims. So damage stops the run that has it, where it has it, and no other.

use std::path::Path;

use mesosflow_workflow::{ClusterId, PhaseKind, Recorded, RunId, Salvaged, Seq, Snapshot, StoreError};
use rusqlite::{Connection, OptionalExtension};

use crate::error::{corrupt, damaged, of_run, sqlite};
use crate::ledger::{ClusterRecord, RunRecord};
use crate::recover;
use crate::row::{COLUMNS, EventRow, LAST_SEQ, OF_RUN};
use crate::snapshot::SnapshotRow;

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

/// The row of `run`.
pub(crate) fn record(connection: &Connection, path: &Path, run: RunId) -> Result<RunRecord, StoreError> {
    RunRecord::of(connection, run)
        .map_err(|error| sqlite("read", path, &error))?
        .ok_or(StoreError::UnknownRun { run })
}

/// The cluster whose lock a run needs, be its row damaged or not.
pub(crate) fn cluster_of(connection: &Connection, path: &Path, run: RunId) -> Result<ClusterId, StoreError> {
    let record = record(connection, path, run)?;
    recover::cluster_of(connection, path, &record).map_err(|error| sqlite("read", path, &error))
}

/// The run of a cluster that is begun and not ended, as far as whole rows tell.
pub(crate) fn driven(
    connection: &Connection,
    path: &Path,
    cluster: ClusterId,
) -> Result<Option<RunId>, StoreError> {
    let found = || {
        let Some(cluster) = ClusterRecord::of(connection, cluster)? else {
            return Ok(None);
        };
        let runs = RunRecord::of_cluster(connection, cluster.number)?;
        let is_driven = |run: &&RunRecord| {
            run.is_whole() && run.is_unfinished() && run.phase == PhaseKind::Running.as_str()
        };
        Ok(runs.iter().find(is_driven).and_then(|run| run.run.parse().ok()))
    };
    found().map_err(|error| sqlite("read", path, &error))
}

/// At most `limit` events of `run` after number `after`.
pub(crate) fn page(
    connection: &Connection,
    path: &Path,
    run: RunId,
    after: Seq,
    limit: usize,
) -> Result<Vec<Recorded>, StoreError> {
    let mut events = Vec::new();
    walk(
        connection,
        path,
        &wanted(connection, path, run, after, limit)?,
        |event| {
            events.push(event);
        },
    )?;
    Ok(events)
}

/// What can be read of `run`: from its beginning to the first damage, and what is whole behind it.
pub(crate) fn salvage(connection: &Connection, path: &Path, run: RunId) -> Result<Salvaged, StoreError> {
    let mut events = Vec::new();
    let wanted = wanted(connection, path, run, Seq(0), usize::MAX)?;
    let damage = match walk(connection, path, &wanted, |event| events.push(event)) {
        Ok(_) => None,
        Err(StoreError::DamagedRun { what, .. }) => Some(what),
        Err(newer @ StoreError::NewerFormat { .. }) => Some(newer.to_string()),
        Err(error) => return Err(error),
    };
    let mut later = Vec::new();
    if damage.is_some() {
        let before = events.last().map_or(Seq(0), |last: &Recorded| last.seq);
        recover::whole_events(connection, run, wanted.number, before, |event| later.push(event));
    }
    Ok(Salvaged {
        events,
        later,
        damage,
    })
}

/// The snapshot of `run`, if there is one that is whole.
pub(crate) fn snapshot(
    connection: &Connection,
    path: &Path,
    run: RunId,
) -> Result<Option<Snapshot>, StoreError> {
    let record = record(connection, path, run)?;
    let row = match SnapshotRow::of(connection, record.number) {
        Ok(row) => row,
        Err(error) => match of_run(run, path, &error) {
            StoreError::DamagedRun { what, .. } => {
                tracing::warn!(%run, what, "a snapshot cannot be read: the history is read instead");
                None
            }
            error => return Err(error),
        },
    };
    let Some(row) = row else { return Ok(None) };
    let snapshot = row.decode(run);
    if snapshot.is_none() {
        tracing::warn!(%run, "a snapshot is not what was written: the history is read instead");
    }
    let last = last_seq(connection, record.number).map_err(|error| of_run(run, path, &error))?;
    Ok(snapshot.filter(|snapshot| Some(snapshot.seq) <= last))
}

fn wanted(
    connection: &Connection,
    path: &Path,
    run: RunId,
    after: Seq,
    limit: usize,
) -> Result<Page, StoreError> {
    let record = record(connection, path, run)?;
    Ok(Page {
        run,
        number: record.number,
        after,
        limit,
        claimed: Seq(record.seq.unsigned_abs()),
    })
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
    let after = crate::ledger::integer(page.after.0);
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

/// What the journal is called, whatever its file is.
pub(crate) fn id(connection: &Connection, path: &Path) -> Result<String, StoreError> {
    connection
        .query_row("SELECT id FROM journal", [], |row| row.get(0))
        .optional()
        .map_err(|error| sqlite("open", path, &error))?
        .ok_or_else(|| corrupt(path, "it has lost its id"))
}
