//! One transaction: what a group of requests writes, and what each of them is answered.
//!
//! A refused request fails alone; the answers are given only after the commit.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mesosflow_workflow::{Epoch, RunId, RunRow, Seq, StoreError};
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use crate::error::Failure;
use crate::row::{EventRow, time};

/// Something to write.
#[derive(Debug)]
pub(crate) enum Write {
    /// A new run with its first event.
    Create {
        /// The run, as it is listed.
        row: RunRow,
        /// Its first event.
        first: Box<EventRow>,
    },
    /// A new epoch of a run.
    Adopt(RunId),
    /// Events of a run.
    Append {
        /// The run.
        run: RunId,
        /// The epoch of the lease.
        epoch: Epoch,
        /// The events, numbered without gaps.
        events: Vec<EventRow>,
    },
    /// The end of a run's right to its cluster's name.
    Retire {
        /// The run.
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
            Self::Adopt(_) => "adopt a run in",
            Self::Append { .. } => "append to",
            Self::Retire { .. } => "retire a run in",
        }
    }
}

/// The epoch under which it was written, or why it was not.
pub(crate) type Outcome = Result<Epoch, StoreError>;

/// Why a request was not carried out: by a decision, which concerns it alone, or by SQLite.
enum Refusal {
    Decided(StoreError),
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

/// The connection that writes.
#[derive(Debug)]
pub(crate) struct Work {
    connection: Connection,
    path: PathBuf,
    /// A commit failed in a way that leaves open what of it is on the disk.
    broken: Option<Failure>,
}

impl Work {
    /// Writes through `connection` to the journal at `path`.
    pub(crate) fn new(connection: Connection, path: &Path) -> Self {
        Self {
            connection,
            path: path.to_owned(),
            broken: None,
        }
    }

    /// Writes a group in one transaction, and gives each its outcome in the same order; all are refused if the
    /// transaction fails. `None` where another process has been writing for longer than `patience`: nothing is done.
    pub(crate) fn commit(&mut self, group: &[&Write], patience: Duration) -> Option<Vec<Outcome>> {
        let failure = match &self.broken {
            Some(failure) => failure.clone(),
            None => match self.transaction(group, patience) {
                Ok(outcomes) => return Some(outcomes),
                Err(error) => {
                    let failure = self.abandon(&error, group);
                    if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) {
                        return None;
                    }
                    failure
                }
            },
        };
        Some(group.iter().map(|_| Err(failure.clone().into())).collect())
    }

    /// The error of a writer that was not let in for longer than it could wait.
    pub(crate) fn shut_out(&self, write: &Write) -> StoreError {
        crate::error::unusable(
            write.doing(),
            &self.path,
            "another process has been writing to it for too long",
        )
    }

    fn transaction(&self, group: &[&Write], patience: Duration) -> rusqlite::Result<Vec<Outcome>> {
        self.connection.busy_timeout(patience)?;
        self.run("BEGIN IMMEDIATE")?;
        // A request is refused before it writes anything, as a rule: only where a table refuses what we meant to write
        // is there something to take back, and the group is begun again with a savepoint for each.
        let outcomes = match self.all(group, false)? {
            Some(outcomes) => outcomes,
            None => {
                self.run("ROLLBACK")?;
                self.run("BEGIN IMMEDIATE")?;
                self.all(group, true)?.unwrap_or_default()
            }
        };
        self.run("COMMIT")?;
        Ok(outcomes)
    }

    /// The outcomes of a group within a transaction; `None` where one of them failed halfway and had no savepoint.
    fn all(&self, group: &[&Write], savepoints: bool) -> rusqlite::Result<Option<Vec<Outcome>>> {
        let mut outcomes = Vec::with_capacity(group.len());
        let mut known = Known::new();
        for write in group {
            if savepoints {
                self.run("SAVEPOINT request")?;
            }
            let outcome = match self.write(write, &mut known) {
                Ok(epoch) => Ok(epoch),
                Err(Refusal::Decided(error)) => Err(error),
                // On a full disk SQLite gives the whole transaction up by itself.
                Err(Refusal::Failed(error)) if self.connection.is_autocommit() => return Err(error),
                Err(Refusal::Failed(error))
                    if error.sqlite_error_code() != Some(ErrorCode::ConstraintViolation) =>
                {
                    return Err(error);
                }
                Err(Refusal::Failed(_)) if !savepoints => return Ok(None),
                Err(Refusal::Failed(error)) => {
                    self.run("ROLLBACK TO request")?;
                    known.clear();
                    Err(Failure::of(write.doing(), &self.path, &error).into())
                }
            };
            if savepoints {
                self.run("RELEASE request")?;
            }
            outcomes.push(outcome);
        }
        Ok(Some(outcomes))
    }

    fn run(&self, sql: &str) -> rusqlite::Result<usize> {
        self.connection.prepare_cached(sql)?.execute([])
    }

    /// Takes a failed transaction back, and decides whether there may be another one.
    fn abandon(&mut self, error: &rusqlite::Error, group: &[&Write]) -> Failure {
        let doing = group.first().map_or("write to", |write| write.doing());
        let failure = Failure::of(doing, &self.path, error);
        tracing::debug!(journal = %self.path.display(), %error, requests = group.len(), "a commit failed");
        let rolled_back =
            self.connection.is_autocommit() || self.connection.execute_batch("ROLLBACK").is_ok();
        // After a failed write or sync nobody knows what of the commit the disk has: it may come back when the journal
        // is opened next. Writing on would build on a history that this process cannot see.
        let unknown = error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure);
        if unknown || !rolled_back || matches!(failure, Failure::Corrupt(_)) {
            self.broken = Some(failure.clone());
        }
        failure
    }

    fn write(&self, write: &Write, known: &mut Known) -> Result<Epoch, Refusal> {
        match write {
            Write::Create { row, first } => self.create(row, first),
            Write::Adopt(run) => {
                let epoch = self.standing(*run)?.epoch.next();
                let mut update = self
                    .connection
                    .prepare_cached("UPDATE runs SET epoch = ?2 WHERE run = ?1")?;
                update.execute(params![run.to_string(), integer(epoch.0)])?;
                known.remove(run);
                Ok(epoch)
            }
            Write::Append { run, epoch, events } => self.append(*run, *epoch, events, known),
            Write::Retire { run, epoch } => {
                self.standing(*run)?.fence(*run, *epoch)?;
                let mut update = self
                    .connection
                    .prepare_cached("UPDATE runs SET owns_cluster = 0 WHERE run = ?1")?;
                update.execute([run.to_string()])?;
                Ok(*epoch)
            }
        }
    }

    fn create(&self, row: &RunRow, first: &EventRow) -> Result<Epoch, Refusal> {
        let run = row.run;
        match self.standing(run) {
            Err(Refusal::Decided(StoreError::UnknownRun { .. })) => {}
            Err(other) => return Err(other),
            Ok(Standing { next, .. }) => {
                let seq = Seq::FIRST;
                return Err(Refusal::Decided(StoreError::OutOfSequence {
                    run,
                    seq,
                    expected: next,
                }));
            }
        }
        let mut select = self.connection.prepare_cached(
            "SELECT run FROM runs WHERE provider = ?1 AND cluster = ?2 AND owns_cluster = 1",
        )?;
        let owner: Option<RunId> = select
            .query_row([&row.provider, &row.cluster], |row| crate::row::parsed(row, 0))
            .optional()?;
        if let Some(owner) = owner {
            let cluster = row.cluster.clone();
            return Err(Refusal::Decided(StoreError::ClusterExists {
                cluster,
                run: owner,
            }));
        }
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO runs (run, cluster, provider, created_at, epoch, owns_cluster)
             VALUES (?1, ?2, ?3, ?4, 1, 1)",
        )?;
        let number = insert.insert(params![
            first.run,
            row.cluster,
            row.provider,
            time(row.created_at)
        ])?;
        self.insert(number, first)?;
        Ok(Epoch::FIRST)
    }

    fn append(
        &self,
        run: RunId,
        epoch: Epoch,
        events: &[EventRow],
        known: &mut Known,
    ) -> Result<Epoch, Refusal> {
        let standing = match known.entry(run) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.standing(run)?),
        };
        standing.fence(run, epoch)?;
        // All of them before the first is written: a refusal has nothing to take back.
        let next = integer(standing.next.0);
        if let Some((event, expected)) = events
            .iter()
            .zip(next..)
            .find(|(event, expected)| event.seq != *expected)
        {
            let (seq, expected) = (Seq(event.seq.unsigned_abs()), Seq(expected.unsigned_abs()));
            return Err(Refusal::Decided(StoreError::OutOfSequence { run, seq, expected }));
        }
        for event in events {
            self.insert(standing.number, event)?;
        }
        standing.next = Seq(standing.next.0 + events.len() as u64);
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

    fn standing(&self, run: RunId) -> Result<Standing, Refusal> {
        let mut select = self.connection.prepare_cached(
            "SELECT number, epoch,
                (SELECT seq FROM events
                 WHERE place BETWEEN runs.number << 32 AND (runs.number << 32) + 4294967295
                 ORDER BY place DESC LIMIT 1)
             FROM runs WHERE run = ?1",
        )?;
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let standing: Option<(i64, i64, i64)> = select.query_row([run.to_string()], row).optional()?;
        let (number, epoch, last) = standing.ok_or(Refusal::Decided(StoreError::UnknownRun { run }))?;
        Ok(Standing {
            number,
            epoch: Epoch(epoch.unsigned_abs()),
            next: Seq(last.unsigned_abs()).next(),
        })
    }
}

/// Where the runs of a transaction stand: nobody else writes as long as it lasts.
type Known = HashMap<RunId, Standing>;

/// Where a run stands.
struct Standing {
    /// Its number in this journal.
    number: i64,
    /// Its newest epoch.
    epoch: Epoch,
    /// The number of its next event.
    next: Seq,
}

impl Standing {
    /// Refuses a lease of another epoch than the newest.
    const fn fence(&self, run: RunId, epoch: Epoch) -> Result<(), Refusal> {
        if epoch.0 == self.epoch.0 {
            return Ok(());
        }
        Err(Refusal::Decided(StoreError::Fenced {
            run,
            epoch,
            newest: self.epoch,
        }))
    }
}

/// A counter as SQLite keeps it. None ever gets near 2⁶³.
fn integer(counter: u64) -> i64 {
    i64::try_from(counter).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesosflow_workflow::contract::{first, next};

    fn work() -> (tempfile::TempDir, Work) {
        let folder = tempfile::tempdir().unwrap();
        let path = crate::files::create(&folder.path().join("journal.sqlite")).unwrap();
        let mut connection = crate::schema::connect(&path, crate::schema::Access::Write).unwrap();
        crate::schema::prepare_writer(&mut connection, &path).unwrap();
        (folder, Work::new(connection, &path))
    }

    #[test]
    fn a_request_that_a_table_refuses_halfway_fails_alone_and_leaves_nothing() {
        let (_folder, mut work) = work();
        let begin = first("demo");
        let encode = |seq| EventRow::encode(&next(&begin, seq)).unwrap();
        let row = mesosflow_workflow::store::check_first(&begin).unwrap();
        let create = Write::Create {
            row,
            first: Box::new(EventRow::encode(&begin).unwrap()),
        };
        let append = |events| Write::Append {
            run: begin.run,
            epoch: Epoch::FIRST,
            events,
        };
        let half = append(vec![
            encode(3),
            EventRow {
                generation: 0,
                ..encode(4)
            },
        ]);
        let group = [&create, &append(vec![encode(2)]), &half, &append(vec![encode(3)])];
        let outcomes = work.commit(&group, Duration::ZERO).unwrap();
        let kept: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
        assert_eq!(kept, [true, true, false, true], "{outcomes:?}");
        let count: i64 = work
            .connection
            .query_row("SELECT count(*) FROM events", [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, 3);

        let alone = append(vec![
            encode(4),
            EventRow {
                generation: 0,
                ..encode(5)
            },
        ]);
        assert!(work.commit(&[&alone], Duration::ZERO).unwrap()[0].is_err());
        assert!(work.commit(&[&append(vec![encode(4)])], Duration::ZERO).unwrap()[0].is_ok());
    }
}
