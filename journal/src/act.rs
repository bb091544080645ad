//! What one request writes within a transaction, and what it is refused for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use mesosflow_workflow::store::ends_cluster;
use mesosflow_workflow::{Epoch, Event, Recorded, RunId, RunRow, RunSummary, Seq, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

use crate::column::{integer, parsed};
use crate::error::{Refusal, damaged};
use crate::ledger::{ClusterRecord, RunRecord};
use crate::mend::{is_led_to, mend};
use crate::row::EventRow;
use crate::snapshot::SnapshotRow;

/// Something to write.
#[derive(Debug)]
pub(crate) enum Write {
    /// A new run with its first event.
    Create {
        /// The run, as it is listed.
        row: RunRow,
        /// Its first event, whose epoch is found with the cluster's.
        first: Box<EventRow>,
    },
    /// A new epoch of a run's cluster.
    Adopt {
        run: RunId,
        /// An epoch which the new one has to be above.
        above: Epoch,
    },
    /// The same of a run that is only to be taken down: a damaged row of it or of its cluster is written anew first.
    Mend {
        run: RunId,
        /// An epoch which the new one has to be above.
        above: Epoch,
    },
    /// Events of a run.
    Append {
        run: RunId,
        /// The epoch of the lease.
        epoch: Epoch,
        /// The events, numbered without gaps.
        events: Vec<Arc<Recorded>>,
        /// The same as rows.
        rows: Vec<EventRow>,
    },
    /// A snapshot of a run.
    Keep {
        run: RunId,
        /// The epoch of the lease.
        epoch: Epoch,
        snapshot: SnapshotRow,
    },
    /// The end of a cluster's right to its name.
    Retire {
        /// A run of it.
        run: RunId,
        /// The epoch of the lease.
        epoch: Epoch,
    },
}

impl Write {
    /// What it does, before "the journal" (`append to`).
    pub(crate) const fn doing(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create a run in",
            Self::Adopt { .. } | Self::Mend { .. } => "adopt a run in",
            Self::Append { .. } => "append to",
            Self::Keep { .. } => "keep a snapshot in",
            Self::Retire { .. } => "retire a run in",
        }
    }

    /// The run with whose history it goes on; none where it begins one.
    pub(crate) const fn run(&self) -> Option<RunId> {
        match self {
            Self::Create { .. } => None,
            Self::Adopt { run, .. }
            | Self::Mend { run, .. }
            | Self::Append { run, .. }
            | Self::Keep { run, .. }
            | Self::Retire { run, .. } => Some(*run),
        }
    }
}

/// A transaction under way: where the runs stand that it has to do with. Nobody else writes as long as it lasts.
pub(crate) struct Transaction<'a> {
    connection: &'a Connection,
    known: HashMap<RunId, Standing>,
}

/// Where a run stands.
struct Standing {
    /// Its number in this journal.
    number: i64,
    /// Its cluster's newest epoch.
    epoch: Epoch,
    /// The number of its next event.
    next: Seq,
    /// What its row says.
    summary: RunSummary,
}

impl<'a> Transaction<'a> {
    /// The transaction that has just begun on `connection`.
    pub(crate) fn on(connection: &'a Connection) -> Self {
        Self {
            connection,
            known: HashMap::new(),
        }
    }

    /// Something was taken back: what is known may be wrong.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }

    /// Carries `write` out. Returns the epoch under which it did.
    pub(crate) fn write(&mut self, write: &Write) -> Result<Epoch, Refusal> {
        match write {
            Write::Create { row, first } => self.create(row, first),
            Write::Adopt { run, above } => self.adopt(*run, *above),
            Write::Mend { run, above } => {
                mend(self.connection, *run)?;
                self.forget();
                let cluster = self.cluster_of(*run)?;
                self.raise(cluster, *run, *above)
            }
            Write::Append {
                run,
                epoch,
                events,
                rows,
            } => self.append(*run, *epoch, events, rows),
            Write::Keep { run, epoch, snapshot } => self.keep(*run, *epoch, snapshot),
            Write::Retire { run, epoch } => {
                self.standing(*run)?.fence(*run, *epoch)?;
                let mut cluster = self.cluster_of(*run)?;
                cluster.is_gone = true;
                cluster.update(self.connection)?;
                Ok(*epoch)
            }
        }
    }

    fn create(&mut self, row: &RunRow, first: &EventRow) -> Result<Epoch, Refusal> {
        let run = row.run;
        match self.standing(run) {
            Err(Refusal::Decided(StoreError::UnknownRun { .. })) => {}
            Err(other) => return Err(other),
            Ok(standing) => {
                return Err(Refusal::Decided(StoreError::OutOfSequence {
                    run,
                    seq: Seq::FIRST,
                    expected: standing.next,
                }));
            }
        }
        let cluster = match ClusterRecord::of(self.connection, row.cluster_id)? {
            Some(mut cluster) => {
                if !cluster.is_whole() {
                    return Err(damaged(run, "its cluster's row is not what was written").into());
                }
                self.refuse_unfinished(&cluster, run)?;
                cluster.epoch += 1;
                cluster.update(self.connection)?;
                cluster
            }
            None => {
                self.refuse_rival(row)?;
                let mut cluster = ClusterRecord::new(row, Epoch::FIRST, false);
                cluster.insert(self.connection)?;
                cluster
            }
        };
        let mut record = RunRecord::new(row, cluster.number);
        record.insert(self.connection)?;
        let epoch = Epoch(cluster.epoch.unsigned_abs());
        self.insert(record.number, &first.at_epoch(epoch))?;
        self.forget();
        Ok(epoch)
    }

    /// Refuses a name that another living cluster of the same provider has.
    fn refuse_rival(&self, row: &RunRow) -> Result<(), Refusal> {
        let owner: Option<RunId> = self
            .connection
            .prepare_cached(
                "SELECT runs.run FROM clusters JOIN runs ON runs.cluster = clusters.number
                 WHERE provider = ?1 AND name = ?2 AND is_gone = 0 AND id <> ?3 ORDER BY runs.number LIMIT 1",
            )?
            .query_row(
                params![row.provider, row.cluster, row.cluster_id.to_string()],
                |row| parsed(row, 0),
            )
            .optional()?;
        match owner {
            None => Ok(()),
            Some(run) => Err(Refusal::Decided(StoreError::ClusterExists {
                cluster: row.cluster.clone(),
                run,
            })),
        }
    }

    /// Refuses where another run of the cluster has not come to an end. What of that a damaged row says does not count: a
    /// damaged run stops itself alone.
    fn refuse_unfinished(&self, cluster: &ClusterRecord, run: RunId) -> Result<(), Refusal> {
        let others = RunRecord::of_cluster(self.connection, cluster.number)?;
        let mut others = others
            .into_iter()
            .filter(|other| other.run != run.to_string() && other.is_whole() && other.is_unfinished());
        let Some(other) = others.next() else {
            return Ok(());
        };
        let Ok(unfinished) = other.run.parse() else {
            return Ok(());
        };
        Err(Refusal::Decided(StoreError::Unfinished {
            cluster: cluster.name.clone(),
            run: unfinished,
            workflow: other.workflow,
        }))
    }

    fn adopt(&mut self, run: RunId, above: Epoch) -> Result<Epoch, Refusal> {
        let cluster = self.cluster_of(run)?;
        self.refuse_unfinished(&cluster, run)?;
        self.raise(cluster, run, above)
    }

    /// The next epoch of a cluster.
    fn raise(&mut self, mut cluster: ClusterRecord, run: RunId, above: Epoch) -> Result<Epoch, Refusal> {
        // It comes from elsewhere: from what machines are marked with.
        let above = i64::try_from(above.0)
            .ok()
            .filter(|above| *above < i64::MAX)
            .ok_or_else(|| StoreError::Unusable {
                doing: format!("cannot adopt run `{run}`"),
                source: format!("no epoch is above {above}").into(),
            })?;
        cluster.epoch = cluster.epoch.max(above) + 1;
        cluster.update(self.connection)?;
        self.forget();
        Ok(Epoch(cluster.epoch.unsigned_abs()))
    }

    /// The cluster of `run`: decided by, and so refused where it or the run's row is not what was written.
    fn cluster_of(&self, run: RunId) -> Result<ClusterRecord, Refusal> {
        let record = RunRecord::of(self.connection, run)?.ok_or(StoreError::UnknownRun { run })?;
        if !record.is_whole() {
            return Err(damaged(run, "its row in the list of runs is not what was written").into());
        }
        if !is_led_to(self.connection, &record, run) {
            return Err(damaged(run, "the index of the list of runs does not lead to it").into());
        }
        ClusterRecord::numbered(self.connection, record.cluster)?
            .filter(ClusterRecord::is_whole)
            .ok_or_else(|| damaged(run, "its cluster's row is not what was written").into())
    }

    fn append(
        &mut self,
        run: RunId,
        epoch: Epoch,
        events: &[Arc<Recorded>],
        rows: &[EventRow],
    ) -> Result<Epoch, Refusal> {
        let connection = self.connection;
        let standing = self.standing(run)?;
        standing.fence(run, epoch)?;
        // All of them before the first is written: a refusal has nothing to take back.
        let next = integer(standing.next.0);
        if let Some((row, expected)) = rows
            .iter()
            .zip(next..)
            .find(|(row, expected)| row.seq != *expected)
        {
            let (seq, expected) = (Seq(row.seq.unsigned_abs()), Seq(expected.unsigned_abs()));
            return Err(Refusal::Decided(StoreError::OutOfSequence { run, seq, expected }));
        }
        let before = standing.summary.clone();
        let before_seq = before.seq.0;
        for event in events {
            standing.summary.apply(event);
        }
        standing.next = Seq(standing.next.0 + rows.len() as u64);
        let (number, summary) = (standing.number, standing.summary.clone());
        for row in rows {
            self.insert(number, row)?;
        }
        let unchanged = RunSummary {
            seq: summary.seq,
            ..before
        };
        if summary != unchanged {
            let mut record = RunRecord::of(connection, run)?.ok_or(StoreError::UnknownRun { run })?;
            record.update(connection, &summary)?;
            let succeeds = |event: &Arc<Recorded>| matches!(event.event, Event::RunSucceeded);
            if ends_cluster(&record.workflow) && events.iter().any(succeeds) {
                let mut cluster = self.cluster_of(run)?;
                cluster.is_gone = true;
                cluster.update(connection)?;
            }
        } else if before_seq / REACH_EVERY != summary.seq.0 / REACH_EVERY {
            RunRecord::reach(connection, number, summary.seq)?;
        }
        Ok(epoch)
    }

    fn keep(&mut self, run: RunId, epoch: Epoch, snapshot: &SnapshotRow) -> Result<Epoch, Refusal> {
        let standing = self.standing(run)?;
        standing.fence(run, epoch)?;
        if snapshot.seq() >= standing.next {
            return Err(Refusal::Decided(StoreError::OutOfSequence {
                run,
                seq: snapshot.seq(),
                expected: standing.next,
            }));
        }
        let number = standing.number;
        snapshot.write(self.connection, number)?;
        Ok(epoch)
    }

    fn insert(&self, number: i64, event: &EventRow) -> rusqlite::Result<()> {
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO events
             (place, run, seq, at, epoch, generation, kind, step, item, attempt, format, body, digest)
             VALUES ((?1 << 32) + ?3, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?;
        insert.execute(params![
            number,
            event.run,
            event.seq,
            event.at,
            event.epoch,
            event.generation,
            event.kind,
            event.step,
            event.item,
            event.attempt,
            event.format,
            event.body,
            event.digest,
        ])?;
        Ok(())
    }

    /// Where `run` stands.
    fn standing(&mut self, run: RunId) -> Result<&mut Standing, Refusal> {
        Ok(match self.known.entry(run) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(standing(self.connection, run)?),
        })
    }
}

/// After how many events the list of runs says how far a history has come, where nothing else of it changes: by that a lost
/// end is noticed. With each append it would be a page more for every commit.
const REACH_EVERY: u64 = 32;

/// Of a join with a bound value SQLite compiles the statement anew each time, which costs as much as the whole append:
/// so the cluster's epoch is asked for by a query within.
const STANDING: &str = "SELECT number,
    (SELECT epoch FROM clusters WHERE clusters.number = runs.cluster),
    (SELECT seq FROM events
     WHERE place BETWEEN runs.number << 32 AND (runs.number << 32) + 4294967295
     ORDER BY place DESC LIMIT 1),
    phase, generation, finished_at, destroyed, seq
 FROM runs WHERE run = ?1";

fn standing(connection: &Connection, run: RunId) -> Result<Standing, Refusal> {
    let mut select = connection.prepare_cached(STANDING)?;
    let mut rows = select.query([run.to_string()])?;
    let Some(row) = rows.next()? else {
        return Err(match RunRecord::of(connection, run)? {
            Some(_) => damaged(run, "the index of the list of runs does not lead to it").into(),
            None => StoreError::UnknownRun { run }.into(),
        });
    };
    let epoch: Option<i64> = row.get(1)?;
    let epoch = epoch.ok_or_else(|| damaged(run, "its cluster is not in the journal"))?;
    let (last, claimed): (Option<i64>, i64) = (row.get(2)?, row.get(7)?);
    let last = last.unwrap_or(0);
    if last < claimed {
        return Err(damaged(run, format_args!("event {} is missing", last + 1)).into());
    }
    let summary = crate::ledger::summary(row, 3)
        .ok_or_else(|| damaged(run, "its row in the list of runs is not what was written"))?;
    Ok(Standing {
        number: row.get(0)?,
        epoch: Epoch(epoch.unsigned_abs()),
        next: Seq(last.unsigned_abs()).next(),
        summary,
    })
}

impl Standing {
    /// Refuses a lease of another epoch than the newest.
    fn fence(&self, run: RunId, epoch: Epoch) -> Result<(), Refusal> {
        if epoch == self.epoch {
            return Ok(());
        }
        Err(Refusal::Decided(StoreError::Fenced {
            run,
            epoch,
            newest: self.epoch,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Anchor, Options};
    use crate::lock::Locks;
    use mesosflow_workflow::contract::{first, next};
    use mesosflow_workflow::store::check_first;
    use rusqlite::StatementStatus;

    #[test]
    fn an_append_compiles_no_statement() {
        let folder = tempfile::tempdir().unwrap();
        let anchor = Anchor::create(&folder.path().join("journal.sqlite"), Options::default()).unwrap();
        let mut connection = anchor.connect(crate::connect::Access::Write).unwrap();
        crate::schema::prepare_writer(&mut connection, anchor.path(), &Locks::of(&anchor)).unwrap();
        let begin = first("demo");
        let write = |write: Write| {
            assert!(Transaction::on(&connection).write(&write).is_ok());
        };
        write(Write::Create {
            row: check_first(&begin).unwrap(),
            first: Box::new(EventRow::encode(&begin).unwrap()),
        });
        for seq in 2..12 {
            let event = next(&begin, seq);
            write(Write::Append {
                run: begin.run,
                epoch: Epoch::FIRST,
                rows: vec![EventRow::encode(&event).unwrap()],
                events: vec![event],
            });
        }
        let standing = connection.prepare_cached(STANDING).unwrap();
        assert!(standing.get_status(StatementStatus::Run) >= 10);
        assert_eq!(standing.get_status(StatementStatus::RePrepare), 0);
    }
}
