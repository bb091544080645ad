//! The migrations: how a journal of an older schema becomes one of the next.

use std::path::Path;

use mesosflow_workflow::store::check_first;
use mesosflow_workflow::{ClusterId, Epoch, RunId, RunRow, Seq, StoreError};
use rusqlite::{Connection, params};

use crate::column::{parsed, time};
use crate::error::{corrupt, sqlite};
use crate::ledger::{ClusterRecord, RunRecord};
use crate::walk::{Page, walk};

/// What takes a journal of one schema to the next.
type Migration = fn(&Connection, &Path) -> Result<(), StoreError>;

/// Every migration, oldest first: number n takes a journal of schema n to n + 1. Those that were ever released are never
/// changed; saved journals of each version are under `fixtures/journals/`.
pub(crate) const MIGRATIONS: &[Migration] = &[to_1, to_2];

fn to_1(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    connection
        .execute_batch(include_str!("v1.sql"))
        .map_err(|error| sqlite("set up", path, &error))
}

/// A run of schema 1, which had a cluster of its own.
struct Old {
    number: i64,
    run: RunId,
    epoch: i64,
    owns_cluster: bool,
}

/// Schema 2 knows clusters apart from their runs, and how each run stands.
fn to_2(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let fail = |error: rusqlite::Error| sqlite("migrate", path, &error);
    let runs = old_runs(connection).map_err(fail)?;
    // The events refer to the table by its name, which stands again below; foreign keys are off meanwhile.
    connection.execute_batch("DROP TABLE runs").map_err(fail)?;
    connection.execute_batch(include_str!("v2.sql")).map_err(fail)?;
    connection
        .execute(
            "INSERT INTO journal (one, id, created_at) VALUES (1, ?1, ?2)",
            params![RunId::generate().to_string(), time(jiff::Timestamp::now())],
        )
        .map_err(fail)?;
    for (old, listed) in runs {
        let row = summarised(connection, path, &old, listed)?;
        let mut cluster = ClusterRecord::new(&row, Epoch(old.epoch.unsigned_abs()), !old.owns_cluster);
        cluster.number = old.number;
        cluster.insert(connection).map_err(fail)?;
        let mut run = RunRecord::new(&row, old.number);
        run.number = old.number;
        run.insert(connection).map_err(fail)?;
    }
    Ok(())
}

/// The runs of schema 1, each with what the list said of it: name, provider, time.
#[expect(
    clippy::type_complexity,
    reason = "a row of three texts, taken apart one line later"
)]
fn old_runs(connection: &Connection) -> rusqlite::Result<Vec<(Old, (String, String, jiff::Timestamp))>> {
    let mut select = connection.prepare(
        "SELECT number, run, epoch, owns_cluster, cluster, provider, created_at FROM runs ORDER BY number",
    )?;
    let rows = select.query_map([], |row| {
        let old = Old {
            number: row.get(0)?,
            run: parsed(row, 1)?,
            epoch: row.get(2)?,
            owns_cluster: row.get(3)?,
        };
        Ok((old, (row.get(4)?, row.get(5)?, parsed(row, 6)?)))
    })?;
    rows.collect()
}

/// The run as its events tell it, as far as they can be read: a damaged history does not keep the others from migrating.
fn summarised(
    connection: &Connection,
    path: &Path,
    old: &Old,
    (cluster, provider, created_at): (String, String, jiff::Timestamp),
) -> Result<RunRow, StoreError> {
    let mut row: Option<RunRow> = None;
    let walked = walk(
        connection,
        path,
        &Page::whole(old.run, old.number),
        |event| match &mut row {
            Some(row) => row.summary.apply(&event),
            None => row = check_first(&std::sync::Arc::new(event)).ok(),
        },
    );
    match walked {
        Ok(Seq(0)) => return Err(corrupt(path, format_args!("run `{}` has no events", old.run))),
        Ok(_) => {}
        Err(StoreError::DamagedRun { run, what }) => {
            tracing::warn!(%run, what, "this run's history is damaged; the others are not");
        }
        Err(error) => return Err(error),
    }
    let mut row = row.unwrap_or_else(|| unreadable(old.run, &cluster, &provider, created_at));
    // The name under which the cluster was known stays its name, whatever became of the first event.
    row.cluster_id = ClusterId::of_run(old.run);
    (row.cluster, row.provider, row.created_at) = (cluster, provider, created_at);
    Ok(row)
}

/// What is left to say of a run whose very first event cannot be read.
fn unreadable(run: RunId, cluster: &str, provider: &str, created_at: jiff::Timestamp) -> RunRow {
    RunRow {
        run,
        workflow: "deploy".to_owned(),
        cluster: cluster.to_owned(),
        cluster_id: ClusterId::of_run(run),
        provider: provider.to_owned(),
        format: 1,
        created_at,
        owns_cluster: true,
        summary: mesosflow_workflow::RunSummary {
            phase: mesosflow_workflow::PhaseKind::Running,
            generation: mesosflow_workflow::Generation::FIRST,
            seq: Seq::FIRST,
            finished_at: None,
            destroyed: false,
        },
    }
}
