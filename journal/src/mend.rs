//! The rows of a damaged run and of its cluster are written anew, so that it can be taken down: recorded as destroyed, and its
//! name given back. Never for a run that is to go on.
//!
//! What a row was is told by the run's events, and proven where the old digest fits what they tell. Where it cannot be
//! proven, a cluster is held to exist, and its epoch is the highest that anything names.

use std::path::Path;

use mesosflow_workflow::{RunId, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

use crate::column::{integer, time};
use crate::error::{Refusal, damaged};
use crate::ledger::{ClusterRecord, RunRecord};
use crate::recover::{self, Told};
use crate::walk::last_seq;

/// Writes the rows of `run` and of its cluster anew, unless nothing is wrong with them. Within a transaction.
pub(crate) fn mend(connection: &Connection, run: RunId) -> Result<(), Refusal> {
    let path = connection.path().unwrap_or_default().to_owned();
    let record = RunRecord::of(connection, run)?.ok_or(StoreError::UnknownRun { run })?;
    let last = last_seq(connection, record.number).ok().flatten();
    let last = last.map_or(record.seq, |last| integer(last.0));
    let cluster = ClusterRecord::numbered(connection, record.cluster)?;
    let is_whole = record.is_whole() && cluster.is_some_and(|cluster| cluster.is_whole());
    if is_whole && last >= record.seq && is_led_to(connection, &record, run) {
        return Ok(());
    }
    let told = recover::told(connection, Path::new(&path), &record)?
        .ok_or_else(|| damaged(run, "nothing says any more which cluster it is about"))?;
    tracing::warn!(%run, "what the journal lists of a damaged run is written anew");
    unguarded(connection, || {
        let cluster = mend_cluster(connection, &told)?;
        let mut mended = RunRecord::new(&told.row, cluster);
        mended.number = record.number;
        mended.seq = last;
        rewrite_run(connection, mended)?;
        Ok(())
    })
}

/// Whether the index of the list of runs leads to the row of `run`, and to no other.
pub(crate) fn is_led_to(connection: &Connection, record: &RunRecord, run: RunId) -> bool {
    let number = connection
        .prepare_cached("SELECT number FROM runs WHERE run = ?1")
        .and_then(|mut select| select.query_row([run.to_string()], |row| row.get::<_, i64>(0)));
    number.is_ok_and(|number| number == record.number)
}

/// Writes the row of the run's cluster anew, and returns its number.
fn mend_cluster(connection: &Connection, told: &Told) -> Result<i64, Refusal> {
    let row = &told.row;
    let Some(old) = &told.cluster else {
        let mut cluster = ClusterRecord::new(row, told.epoch, !row.owns_cluster);
        cluster.insert(connection)?;
        return Ok(cluster.number);
    };
    if old.is_whole() {
        return Ok(old.number);
    }
    let mut cluster = ClusterRecord {
        id: row.cluster_id.to_string(),
        provider: row.provider.clone(),
        name: row.cluster.clone(),
        created_at: time(row.created_at),
        ..old.clone()
    };
    if !(cluster.is_whole() || cluster.is_whole_otherwise()) {
        cluster.is_gone &= row.summary.destroyed;
        cluster.epoch = cluster.epoch.clamp(1, i64::MAX - 1).max(integer(told.epoch.0));
    }
    // Meanwhile somebody else may have taken the name, since nobody could read whose it was.
    cluster.is_gone |= has_rival(connection, &cluster)?;
    let number = cluster.number;
    rewrite_cluster(connection, cluster)?;
    Ok(number)
}

fn has_rival(connection: &Connection, cluster: &ClusterRecord) -> rusqlite::Result<bool> {
    let rival: Option<i64> = connection
        .query_row(
            "SELECT number FROM clusters NOT INDEXED
             WHERE provider = ?1 AND name = ?2 AND is_gone = 0 AND number <> ?3",
            params![cluster.provider, cluster.name, cluster.number],
            |row| row.get(0),
        )
        .optional()?;
    Ok(rival.is_some())
}

fn rewrite_cluster(connection: &Connection, mut cluster: ClusterRecord) -> rusqlite::Result<usize> {
    cluster.seal();
    connection.execute(
        "UPDATE clusters SET id = ?2, provider = ?3, name = ?4, epoch = ?5, is_gone = ?6, created_at = ?7, digest = ?8
         WHERE number = ?1",
        params![
            cluster.number,
            cluster.id,
            cluster.provider,
            cluster.name,
            cluster.epoch,
            cluster.is_gone,
            cluster.created_at,
            cluster.digest,
        ],
    )
}

fn rewrite_run(connection: &Connection, mut run: RunRecord) -> rusqlite::Result<usize> {
    run.seal();
    connection.execute(
        "UPDATE runs SET run = ?2, cluster = ?3, workflow = ?4, format = ?5, created_at = ?6, phase = ?7,
             generation = ?8, finished_at = ?9, destroyed = ?10, seq = ?11, digest = ?12 WHERE number = ?1",
        params![
            run.number,
            run.run,
            run.cluster,
            run.workflow,
            run.format,
            run.created_at,
            run.phase,
            run.generation,
            run.finished_at,
            run.destroyed,
            run.seq,
            run.digest,
        ],
    )
}

/// Runs `act` while the triggers of both tables are away, which let nothing go backwards; afterwards the indices are made
/// anew from what the tables have.
fn unguarded(connection: &Connection, act: impl FnOnce() -> Result<(), Refusal>) -> Result<(), Refusal> {
    let triggers: Vec<(String, String)> = connection
        .prepare(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name IN ('runs', 'clusters')",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (name, _) in &triggers {
        connection.execute_batch(&format!("DROP TRIGGER {name}"))?;
    }
    // Otherwise SQLite refuses to change a row of which an index says something else.
    connection.pragma_update(None, "writable_schema", "on")?;
    let acted = act();
    connection.pragma_update(None, "writable_schema", "off")?;
    acted?;
    connection.execute_batch("REINDEX clusters; REINDEX runs")?;
    for (_, sql) in &triggers {
        connection.execute_batch(sql)?;
    }
    Ok(())
}
