//! The list of runs, which costs no more than a row of each.

use std::collections::HashMap;
use std::path::Path;

use mesosflow_workflow::{RunRow, StoreError};
use rusqlite::Connection;

use crate::error::sqlite;
use crate::ledger::{CLUSTER_COLUMNS, ClusterRecord, RunRecord};
use crate::recover;
use crate::walk::last_seq;

type Clusters = HashMap<i64, ClusterRecord>;

/// Every run, the oldest first. One whose row is damaged is listed as the rest of it tells.
pub(crate) fn list(connection: &Connection, path: &Path) -> Result<Vec<RunRow>, StoreError> {
    let fail = |error: rusqlite::Error| sqlite("read", path, &error);
    // One moment: a run is never listed without its cluster.
    let moment = connection.unchecked_transaction().map_err(fail)?;
    let clusters = clusters(&moment).map_err(fail)?;
    let mut rows = Vec::new();
    for record in RunRecord::all(&moment).map_err(fail)? {
        let row = match listed(&record, &clusters) {
            Some(row) => Some(row),
            None => recover::told(&moment, path, &record)
                .map_err(fail)?
                .map(|told| told.row),
        };
        match row {
            Some(mut row) => {
                // The list says now and then how far a history has come; the history says it always.
                let last = last_seq(&moment, record.number).ok().flatten();
                row.summary.seq = last.map_or(row.summary.seq, |last| last.max(row.summary.seq));
                rows.push(row);
            }
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
    Ok(rows
        .filter_map(Result::ok)
        .map(|cluster| (cluster.number, cluster))
        .collect())
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
