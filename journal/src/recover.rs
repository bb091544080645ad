//! What can still be said of a run where something of it is damaged: its rows are told by its events, and its first event by
//! its rows. Nothing here is certain, so it serves for showing a run and for taking it down, and for nothing else.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use mesosflow_workflow::store::check_first;
use mesosflow_workflow::{ClusterId, Epoch, Generation, PhaseKind, Recorded, RunId, RunRow, RunSummary, Seq};
use rusqlite::Connection;

use crate::column::integer;
use crate::ledger::{ClusterRecord, RunRecord, owner};
use crate::row::{COLUMNS, EventRow, LAST_SEQ, OF_RUN};
use crate::walk::{Page, walk};

/// A run as what is left tells it.
#[derive(Debug)]
pub(crate) struct Told {
    /// As it is listed.
    pub(crate) row: RunRow,
    /// The newest epoch that any of its events names.
    pub(crate) epoch: Epoch,
    /// The row of its cluster, whole or not.
    pub(crate) cluster: Option<ClusterRecord>,
}

/// The run behind `record`; none where neither its row nor any event says which it is, or where its cluster is unknown.
pub(crate) fn told(
    connection: &Connection,
    path: &Path,
    record: &RunRecord,
) -> rusqlite::Result<Option<Told>> {
    let Some(run) = owner(connection, record)? else {
        return Ok(None);
    };
    let first = first(connection, path, run, record);
    let cluster = cluster(connection, record, first.as_ref())?;
    let mut epoch = Epoch::FIRST;
    let mut summary = first.as_ref().map(|first| first.summary.clone());
    let mut begun: Option<Timestamp> = None;
    whole_events(connection, run, record.number, Seq(0), |event| {
        epoch = epoch.max(event.epoch);
        begun.get_or_insert(event.at);
        if event.seq > Seq::FIRST {
            summary.get_or_insert_with(|| nothing(&event)).apply(&event);
        }
    });
    let kept = record.summary().filter(|_| record.is_whole());
    let Some(summary) = kept.or(summary).or_else(|| record.summary()) else {
        return Ok(None);
    };
    // A name is held to be taken as long as nothing says that it is free.
    let owns_cluster = !cluster.as_ref().is_some_and(|cluster| cluster.is_gone);
    let row = match (first, &cluster) {
        (Some(first), _) => RunRow {
            owns_cluster,
            summary,
            ..first
        },
        (None, Some(cluster)) => RunRow {
            run,
            workflow: record.workflow.clone(),
            cluster: cluster.name.clone(),
            cluster_id: cluster.id.parse().unwrap_or(ClusterId::of_run(run)),
            provider: cluster.provider.clone(),
            format: u16::try_from(record.format).unwrap_or(1).max(1),
            created_at: record.created_at.parse().ok().or(begun).unwrap_or_default(),
            owns_cluster,
            summary,
        },
        (None, None) => return Ok(None),
    };
    Ok(Some(Told { row, epoch, cluster }))
}

/// The cluster whose lock the run behind `record` needs.
pub(crate) fn cluster_of(
    connection: &Connection,
    path: &Path,
    record: &RunRecord,
) -> rusqlite::Result<ClusterId> {
    if record.is_whole()
        && let Some(cluster) = ClusterRecord::numbered(connection, record.cluster)?
        && cluster.is_whole()
        && let Ok(id) = cluster.id.parse()
    {
        return Ok(id);
    }
    let told = told(connection, path, record)?.map(|told| told.row.cluster_id);
    // Nothing names it: no other run can have this one.
    Ok(told.unwrap_or_else(|| match record.run.parse() {
        Ok(run) => ClusterId::of_run(run),
        Err(_) => ClusterId::generate(),
    }))
}

/// What the first event of a run says, if that is whole.
fn first(connection: &Connection, path: &Path, run: RunId, record: &RunRecord) -> Option<RunRow> {
    let mut found = None;
    let page = Page {
        limit: 1,
        ..Page::whole(run, record.number)
    };
    let _damaged = walk(connection, path, &page, |event| found = Some(event));
    check_first(&Arc::new(found?)).ok()
}

/// The row of the run's cluster: by the number in a whole row, or by the id in the first event.
fn cluster(
    connection: &Connection,
    record: &RunRecord,
    first: Option<&RunRow>,
) -> rusqlite::Result<Option<ClusterRecord>> {
    if !record.is_whole()
        && let Some(first) = first
        && let Some(cluster) = ClusterRecord::of(connection, first.cluster_id)?
    {
        return Ok(Some(cluster));
    }
    ClusterRecord::numbered(connection, record.cluster)
}

/// The summary of a history whose beginning is lost, before its first event that is whole.
const fn nothing(event: &Recorded) -> RunSummary {
    RunSummary {
        phase: PhaseKind::Running,
        generation: Generation::FIRST,
        seq: event.seq,
        finished_at: None,
        destroyed: false,
    }
}

/// Calls `visit` with each event of a run behind `after` that is whole. What is damaged is passed over, be it an event or a
/// page of them.
pub(crate) fn whole_events(
    connection: &Connection,
    run: RunId,
    number: i64,
    after: Seq,
    mut visit: impl FnMut(Recorded),
) {
    let mut last = after.0;
    loop {
        let reached = readable_events(connection, run, number, last, &mut visit);
        match reached.and_then(|reached| behind_gap(connection, number, reached)) {
            Some(next) => last = next,
            None => return,
        }
    }
}

/// Visits what is whole behind `after` until a page cannot be read; then the number of the last event before that.
fn readable_events(
    connection: &Connection,
    run: RunId,
    number: i64,
    after: u64,
    visit: &mut impl FnMut(Recorded),
) -> Option<u64> {
    let mut last = after;
    let mut select = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, place FROM events WHERE {OF_RUN} ORDER BY place"
        ))
        .ok()?;
    let mut rows = select.query([number, integer(after)]).ok()?;
    loop {
        match rows.next() {
            Ok(Some(row)) => {
                let Ok(place) = row.get::<_, i64>("place") else {
                    continue;
                };
                last = (place & 0xffff_ffff).unsigned_abs();
                let event = EventRow::read(row)
                    .ok()
                    .filter(|row| row.seq.unsigned_abs() == last);
                if let Some(Ok(event)) = event.map(|row| row.decode(run)) {
                    visit(event);
                }
            }
            Ok(None) => return None,
            Err(_) => return Some(last),
        }
    }
}

/// The smallest number behind which events can be read again, where they cannot behind `last`: found by ever longer steps
/// and then between the last two, since a page that is lost may have had a thousand others below it.
fn behind_gap(connection: &Connection, number: i64, last: u64) -> Option<u64> {
    let can_read = |after: u64| -> Option<bool> {
        let mut select = connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM events WHERE {OF_RUN} ORDER BY place LIMIT 1"
            ))
            .ok()?;
        let found = select.exists([number, integer(after)]);
        found.ok()
    };
    let (mut cannot, mut step) = (last, 1);
    let mut can = loop {
        let next = cannot.saturating_add(step);
        if next >= LAST_SEQ {
            return None;
        }
        match can_read(next) {
            Some(true) => break next,
            // There is nothing any more.
            Some(false) if step == 1 => return None,
            Some(false) => break next,
            None => {
                cannot = next;
                step *= 2;
            }
        }
    };
    while can - cannot > 1 {
        let middle = cannot + (can - cannot) / 2;
        match can_read(middle) {
            Some(_) => can = middle,
            None => cannot = middle,
        }
    }
    Some(can)
}
