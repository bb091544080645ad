//! What is verified before a journal is used, and the whole of it when somebody asks.
//!
//! Opening looks at what all runs need: the tables of clusters and runs, which are small. The events and snapshots are
//! verified as they are read (`read`), so that a damaged page or row stops the run that it belongs to and no other. Where
//! the file is small, SQLite's check of every page costs next to nothing, and is made as well.

use std::collections::HashMap;
use std::path::Path;

use mesosflow_workflow::{Event, RunId, RunSummary, Seq, StoreError};
use rusqlite::{Connection, ErrorCode};

use crate::column::time;
use crate::error::{corrupt, of_run, sqlite};
use crate::ledger::{CLUSTER_COLUMNS, ClusterRecord, RUN_COLUMNS, RunRecord, owner};
use crate::snapshot::SnapshotRow;
use crate::walk::{Page, walk};

/// Up to how many pages the whole file is looked at when it is opened.
const SMALL: i64 = 2048;

/// Something in a journal that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The run that it concerns; none where it concerns the journal as a whole.
    pub run: Option<RunId>,
    /// What is wrong, and where.
    pub what: String,
}

/// What a check of a whole journal found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// How many clusters the journal knows.
    pub clusters: u64,
    /// How many runs it has.
    pub runs: u64,
    /// How many events were read and are whole.
    pub events: u64,
    /// How many snapshots are whole.
    pub snapshots: u64,
    /// What is wrong; empty where nothing is.
    pub findings: Vec<Finding>,
}

impl Report {
    fn find(&mut self, run: impl Into<Option<RunId>>, what: impl std::fmt::Display) {
        self.findings.push(Finding {
            run: run.into(),
            what: what.to_string(),
        });
    }
}

/// Verifies what every run needs.
///
/// # Errors
///
/// [`StoreError::Corrupt`] with what SQLite says is wrong.
pub(crate) fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    for table in ["journal", "clusters", "runs"] {
        let lines = structure(connection, path, &format!("quick_check({table})"))?;
        if !lines.is_empty() {
            return Err(corrupt(path, lines.join("; ")));
        }
    }
    let pages: i64 = connection
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .map_err(|error| sqlite("check", path, &error))?;
    if pages > SMALL {
        return Ok(());
    }
    let whole = structure(connection, path, "quick_check(20)")?;
    if whole.is_empty() {
        return Ok(());
    }
    // A page of events or snapshots is the damage of those whose it is. What hangs below it looks unused then.
    let mut contained = false;
    for table in ["events", "snapshots"] {
        contained |= !structure(connection, path, &format!("quick_check({table})"))?.is_empty();
    }
    if !contained {
        return Err(corrupt(path, whole.join("; ")));
    }
    tracing::warn!(journal = %path.display(), damage = whole.join("; "), "damaged in some run's history");
    Ok(())
}

/// What a check of SQLite's complains about that is no row's own affair: a column that cannot be read is found by that
/// row's digest.
fn structure(connection: &Connection, path: &Path, check: &str) -> Result<Vec<String>, StoreError> {
    let lines = match complaints(connection, check) {
        Ok(lines) => lines,
        // The check walks the rows as well, and gives up where it cannot.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            vec![error.to_string()]
        }
        Err(error) => return Err(sqlite("check", path, &error)),
    };
    let rows = [
        "CHECK constraint failed",
        "NULL value in",
        "NUMERIC value in",
        "TEXT value in",
        "non-",
    ];
    Ok(lines
        .into_iter()
        .filter(|line| !rows.iter().any(|row| line.starts_with(row)))
        .collect())
}

/// What a check of SQLite's complains about.
fn complaints(connection: &Connection, check: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("PRAGMA {check}"))?;
    let lines: Vec<String> = statement
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(if lines == ["ok"] { Vec::new() } else { lines })
}

/// Verifies everything: SQLite's pages and indices, each cluster and run, every event, every snapshot.
pub(crate) fn verify(connection: &Connection, path: &Path) -> Result<Report, StoreError> {
    let fail = |error: rusqlite::Error| sqlite("check", path, &error);
    let moment = connection.unchecked_transaction().map_err(fail)?;
    let mut report = Report::default();
    match complaints(&moment, "integrity_check(50)") {
        Ok(lines) => lines.iter().for_each(|line| report.find(None, line)),
        Err(error) => report.find(None, error),
    }
    let clusters = clusters(&moment, &mut report);
    for record in runs(&moment, &mut report) {
        verify_run(&moment, path, &record, &clusters, &mut report)?;
    }
    if let Err(error) = strays(&moment, &mut report) {
        report.find(None, format_args!("events: {error}"));
    }
    // Ended without a commit, which fails where a page could not be read.
    drop(moment);
    Ok(report)
}

fn clusters(connection: &Connection, report: &mut Report) -> HashMap<i64, ClusterRecord> {
    let sql = format!("SELECT {CLUSTER_COLUMNS} FROM clusters ORDER BY number");
    let rows = rows(connection, &sql, ClusterRecord::read, report);
    report.clusters = rows.len() as u64;
    for cluster in rows.iter().filter(|cluster| !cluster.is_whole()) {
        report.find(
            None,
            format_args!("the row of cluster `{}` is not what was written", cluster.name),
        );
    }
    rows.into_iter().map(|row| (row.number, row)).collect()
}

fn runs(connection: &Connection, report: &mut Report) -> Vec<RunRecord> {
    let sql = format!("SELECT {RUN_COLUMNS} FROM runs ORDER BY number");
    let runs = rows(connection, &sql, RunRecord::read, report);
    report.runs = runs.len() as u64;
    runs
}

/// The rows of a query, as far as they can be read.
fn rows<T>(
    connection: &Connection,
    sql: &str,
    read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    report: &mut Report,
) -> Vec<T> {
    let mut found = Vec::new();
    let gather = || -> rusqlite::Result<()> {
        let mut select = connection.prepare(sql)?;
        let mut wrong = 0;
        for row in select.query_map([], read)? {
            match row {
                Ok(row) => found.push(row),
                Err(error @ rusqlite::Error::SqliteFailure(..)) => return Err(error),
                Err(error) => {
                    wrong += 1;
                    report.find(None, error);
                    // A cursor that cannot be read may not end either.
                    if wrong > 50 {
                        break;
                    }
                }
            }
        }
        Ok(())
    };
    if let Err(error) = gather() {
        report.find(None, error);
    }
    found
}

fn verify_run(
    connection: &Connection,
    path: &Path,
    record: &RunRecord,
    clusters: &HashMap<i64, ClusterRecord>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let Ok(Some(run)) = owner(connection, record) else {
        report.find(None, format_args!("run number {} has lost its id", record.number));
        return Ok(());
    };
    if !record.is_whole() {
        report.find(run, "its row in the list of runs is not what was written");
    }
    let page = Page {
        claimed: Seq(record.seq.unsigned_abs()),
        ..Page::whole(run, record.number)
    };
    let cluster = clusters.get(&record.cluster);
    let mut told: Option<RunSummary> = None;
    let (mut count, mut agrees, mut newest) = (0, true, 0);
    let walked = walk(connection, path, &page, |event| {
        count += 1;
        newest = newest.max(event.epoch.0);
        match &mut told {
            Some(summary) => summary.apply(&event),
            None => {
                agrees = begins_as_listed(&event, record, cluster);
                told = Some(RunSummary::begin(&event));
            }
        }
    });
    report.events += count;
    match walked {
        Ok(_) => {
            if !agrees {
                report.find(run, "it does not begin as the list of runs says");
            }
            // How far it has come the list says now and then only, and never too much.
            let listed = record
                .summary()
                .zip(told.as_ref())
                .map(|(listed, told)| RunSummary {
                    seq: told.seq.max(listed.seq),
                    ..listed
                });
            if listed != told {
                report.find(run, "the list of runs says otherwise how it stands");
            }
        }
        Err(StoreError::DamagedRun { what, .. }) => report.find(run, what),
        Err(newer @ StoreError::NewerFormat { .. }) => report.find(run, newer),
        Err(error) => return Err(error),
    }
    match cluster {
        None => report.find(run, "its cluster is not in the journal"),
        Some(cluster) if newest > cluster.epoch.unsigned_abs() => {
            report.find(
                run,
                format_args!("it has events of epoch {newest}, which is to come"),
            );
        }
        Some(_) => {}
    }
    verify_snapshot(connection, path, run, record.number, report)
}

fn verify_snapshot(
    connection: &Connection,
    path: &Path,
    run: RunId,
    number: i64,
    report: &mut Report,
) -> Result<(), StoreError> {
    let row = match SnapshotRow::of(connection, number) {
        Ok(row) => row,
        Err(error) => match of_run(run, path, &error) {
            StoreError::DamagedRun { what, .. } => {
                report.find(run, format_args!("its snapshot: {what}"));
                None
            }
            error => return Err(error),
        },
    };
    match row.map(|row| row.decode(run)) {
        None => {}
        Some(Some(_)) => report.snapshots += 1,
        Some(None) => report.find(
            run,
            "its snapshot is not what was written; the history is read instead",
        ),
    }
    Ok(())
}

/// The first event of a run says what the list of runs says.
fn begins_as_listed(
    first: &mesosflow_workflow::Recorded,
    record: &RunRecord,
    cluster: Option<&ClusterRecord>,
) -> bool {
    let Event::RunStarted {
        workflow,
        cluster: name,
        provider,
        ..
    } = &first.event
    else {
        return false;
    };
    *workflow == record.workflow
        && i64::from(first.format) == record.format
        && time(first.at) == record.created_at
        && cluster.is_none_or(|cluster| *name == cluster.name && *provider == cluster.provider)
}

/// Events of no run.
fn strays(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let count: i64 = connection.query_row(
        "SELECT count(*) FROM events WHERE NOT EXISTS (SELECT 1 FROM runs WHERE number = place >> 32)",
        [],
        |row| row.get(0),
    )?;
    if count > 0 {
        report.find(None, format_args!("{count} events belong to no run"));
    }
    Ok(())
}
