//! One transaction: what a group of requests writes, and what each of them is answered.
//!
//! A refused request fails alone; the answers are given only after the commit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mesosflow_workflow::{Epoch, StoreError};
use rusqlite::{Connection, ErrorCode};

use crate::act::{Refusal, Transaction, Write};
use crate::error::{Failure, of_run};

/// The epoch under which it was written, or why it was not.
pub(crate) type Outcome = Result<Epoch, StoreError>;

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
        let mut transaction = Transaction::on(&self.connection);
        for write in group {
            if savepoints {
                self.run("SAVEPOINT request")?;
            }
            let outcome = match transaction.write(write) {
                Ok(epoch) => Ok(epoch),
                Err(Refusal::Decided(error)) => Err(error),
                // On a full disk SQLite gives the whole transaction up by itself.
                Err(Refusal::Failed(error)) if self.connection.is_autocommit() => return Err(error),
                // A page of one run's history that cannot be read concerns that run.
                Err(Refusal::Failed(error))
                    if !matches!(
                        error.sqlite_error_code(),
                        Some(ErrorCode::ConstraintViolation | ErrorCode::DatabaseCorrupt)
                    ) =>
                {
                    return Err(error);
                }
                Err(Refusal::Failed(_)) if !savepoints => return Ok(None),
                Err(Refusal::Failed(error)) => {
                    self.run("ROLLBACK TO request")?;
                    transaction.forget();
                    Err(match (write.run(), error.sqlite_error_code()) {
                        (Some(run), Some(ErrorCode::DatabaseCorrupt)) => of_run(run, &self.path, &error),
                        _ => Failure::of(write.doing(), &self.path, &error).into(),
                    })
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::EventRow;
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
        let append = |rows: Vec<EventRow>| Write::Append {
            run: begin.run,
            epoch: Epoch::FIRST,
            events: rows
                .iter()
                .map(|row| next(&begin, row.seq.unsigned_abs()))
                .collect(),
            rows,
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
