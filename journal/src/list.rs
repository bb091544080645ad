//! The list of runs, which costs no more than a row of each.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use mesosflow_workflow::store::check_first;
use mesosflow_workflow::{ClusterId, RunId, RunRow, StoreError};
use rusqlite::Connection;

use crate::error::sqlite;
use crate::ledger::{CLUSTER_COLUMNS, ClusterRecord, RUN_COLUMNS, RunRecord};
use crate::read::{self, Page};

type Clusters = HashMap<i64, ClusterRecord>;

/// Every run, the oldest first. One whose row is damaged is listed as its events tell it.
pub(crate) fn list(connection: &Connection, path: &Path) -> Result<Vec<RunRow>, StoreError> {
    let fail = |error: rusqlite::Error| sqlite("read", path, &error);
    // One moment: a run is never listed without its cluster.
    let moment = connection.unchecked_transaction().map_err(fail)?;
    let clusters = clusters(&moment).map_err(fail)?;
    let mut rows = Vec::new();
    for record in records(&moment).map_err(fail)? {
        let row = match listed(&record, &clusters) {
            Some(row) => Some(row),
            None => rebuilt(&moment, path, &record, &clusters)?,
        };
        match row {
            Some(row) => rows.push(row),
            None => tracing::warn!(
                number = record.number,
                "a run of the journal is damaged beyond its name"
            ),
        }
    }
    // Ended without a commit, which fails where a page could not be read.
    drop(moment);
    rows.sort_by_key(|row| (row.created_at, row.run));
    Ok(rows)
}

fn clusters(connection: &Connection) -> rusqlite::Result<Clusters> {
    let mut select = connection.prepare_cached(&format!("SELECT {CLUSTER_COLUMNS} FROM clusters"))?;
    let rows = select.query_map([], ClusterRecord::read)?;
    // A row with a column of another type has no use here; its runs are listed from their events.
    Ok(rows
        .filter_map(Result::ok)
        .map(|cluster| (cluster.number, cluster))
        .collect())
}

fn records(connection: &Connection) -> rusqlite::Result<Vec<RunRecord>> {
    let mut select = connection.prepare_cached(&format!("SELECT {RUN_COLUMNS} FROM runs ORDER BY number"))?;
    let mut rows = select.query([])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let record = RunRecord::read(row).or_else(|_| RunRecord::unreadable(row))?;
        records.push(record);
    }
    Ok(records)
}

/// A run as its row and its cluster's say, where both are whole.
fn listed(record: &RunRecord, clusters: &Clusters) -> Option<RunRow> {
    let cluster = clusters.get(&record.cluster)?;
    if !record.is_whole() || !cluster.is_whole() {
        return None;
    }
    Some(RunRow {
        run: record.run.parse().ok()?,
        workflow: record.workflow.clone(),
        cluster: cluster.name.clone(),
        cluster_id: cluster.id.parse().ok()?,
        provider: cluster.provider.clone(),
        format: u16::try_from(record.format).ok()?,
        created_at: record.created_at.parse().ok()?,
        owns_cluster: !cluster.is_gone,
        summary: record.summary()?,
    })
}

/// A run as its events say, as far as they can be read.
fn rebuilt(
    connection: &Connection,
    path: &Path,
    record: &RunRecord,
    clusters: &Clusters,
) -> Result<Option<RunRow>, StoreError> {
    let Some(run) = run_of(connection, record).map_err(|error| sqlite("read", path, &error))? else {
        return Ok(None);
    };
    let mut row: Option<RunRow> = None;
    let walked = read::walk(
        connection,
        path,
        &Page::whole(run, record.number),
        |event| match &mut row {
            Some(row) => row.summary.apply(&event),
            None => row = check_first(&Arc::new(event)).ok(),
        },
    );
    match walked {
        Ok(_) => {}
        Err(StoreError::DamagedRun { what, .. }) => tracing::warn!(%run, what, "a damaged run"),
        Err(newer @ StoreError::NewerFormat { .. }) => {
            tracing::warn!(%run, %newer, "a run of a newer program")
        }
        Err(error) => return Err(error),
    }
    // A name is held to be taken as long as nothing says that it is free.
    Ok(row.map(|row| RunRow {
        owns_cluster: !clusters.values().any(|cluster| {
            cluster.is_gone
                && cluster
                    .id
                    .parse::<ClusterId>()
                    .is_ok_and(|id| id == row.cluster_id)
        }),
        ..row
    }))
}

/// Whose events stand behind a number: the row's own word is not to be trusted.
fn run_of(connection: &Connection, record: &RunRecord) -> rusqlite::Result<Option<RunId>> {
    let mut select = connection.prepare_cached("SELECT run FROM events WHERE place = (?1 << 32) + 1")?;
    let mut rows = select.query([record.number])?;
    let said = match rows.next() {
        Ok(Some(row)) => row.get::<_, String>(0).ok(),
        Ok(None) | Err(_) => None,
    };
    Ok(said
        .and_then(|said| said.parse().ok())
        .or_else(|| record.run.parse().ok()))
}
