//! What is asked of a journal that is open: of its histories, and of who they belong to.

use std::path::Path;

use mesosflow_workflow::{ClusterId, PhaseKind, Recorded, RunId, Salvaged, Seq, Snapshot, StoreError};
use rusqlite::{Connection, OptionalExtension};

use crate::error::{corrupt, of_run, sqlite};
use crate::ledger::{ClusterRecord, RunRecord};
use crate::recover;
use crate::snapshot::SnapshotRow;
use crate::walk::{Page, last_seq, walk};

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

/// What the journal is called, whatever its file is.
pub(crate) fn id(connection: &Connection, path: &Path) -> Result<String, StoreError> {
    connection
        .query_row("SELECT id FROM journal", [], |row| row.get(0))
        .optional()
        .map_err(|error| sqlite("open", path, &error))?
        .ok_or_else(|| corrupt(path, "it has lost its id"))
}
