//! One transaction: what a group of requests writes, and what each of them is answered.
//!
//! A refused request fails alone; the answers are given only after the commit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mesosflow_workflow::{Epoch, RunId, StoreError};
use rusqlite::{Connection, ErrorCode};

use crate::act::{Refusal, Transaction, Write};
use crate::error::{Failure, damaged};
use crate::files::beside;

/// The epoch under which it was written, or why it was not.
pub(crate) type Outcome = Result<Epoch, StoreError>;

/// Up to which size the log beside the journal grows before it is taken over into the file at once. SQLite does that
/// itself from 4 MiB on, but not as long as one reader follows another: then the log grows and grows.
const LONG: u64 = 8 << 20;
/// How much longer the log gets before that is tried again.
const LONGER: u64 = 1 << 20;
/// Every how many commits the size of the log is looked at.
const LOOK_EVERY: u32 = 16;

/// What a request met: a run's damage, or the journal's.
#[derive(Debug, Clone)]
struct Damage {
    run: Option<RunId>,
    what: String,
}

impl From<Damage> for StoreError {
    fn from(damage: Damage) -> Self {
        match damage.run {
            Some(run) => damaged(run, damage.what),
            None => Self::Corrupt(damage.what),
        }
    }
}

/// How far a transaction came.
enum Tried {
    /// To its end.
    All(Vec<Outcome>),
    /// To a request that wrote something and was refused then.
    Halfway,
    /// To a request that met damage.
    Damaged(usize, Damage),
}

/// The connection that writes.
#[derive(Debug)]
pub(crate) struct Work {
    connection: Connection,
    path: PathBuf,
    log: PathBuf,
    /// A commit failed in a way that leaves open what of it is on the disk.
    broken: Option<Failure>,
    /// How many commits there were.
    commits: u32,
    /// The size of the log at which it is taken over next.
    long: u64,
}

impl Work {
    /// Writes through `connection` to the journal at `path`.
    pub(crate) fn new(connection: Connection, path: &Path) -> Self {
        Self {
            connection,
            path: path.to_owned(),
            log: beside(path, "-wal"),
            broken: None,
            commits: 0,
            long: LONG,
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

    /// Whether it has carried anything out.
    pub(crate) const fn has_written(&self) -> bool {
        self.commits > 0
    }

    /// Whether the log has become so long that it should be taken over into the file.
    pub(crate) fn has_a_long_log(&mut self) -> bool {
        self.commits = self.commits.wrapping_add(1);
        self.commits.is_multiple_of(LOOK_EVERY) && self.log_size() > self.long
    }

    /// Takes the log over into the file and empties it, if those who read can be waited for that long. New ones read from
    /// the file meanwhile.
    pub(crate) fn shorten_log(&mut self, patience: Duration) {
        if self.broken.is_some() {
            return;
        }
        let emptied = self.connection.busy_timeout(patience).and_then(|()| {
            self.connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
        });
        let size = self.log_size();
        self.long = if size > LONG { size + LONGER } else { LONG };
        tracing::debug!(journal = %self.path.display(), ?emptied, size, "the log was taken over");
    }

    fn log_size(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |log| log.len())
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
        let mut met: Vec<Option<Damage>> = group.iter().map(|_| None).collect();
        // A request is refused before it writes anything, as a rule: only where a table refuses what we meant to write
        // is there something to take back, and the group is begun again with a savepoint for each.
        let mut savepoints = false;
        loop {
            self.run("BEGIN IMMEDIATE")?;
            match self.all(group, savepoints, &met)? {
                Tried::All(outcomes) => {
                    self.run("COMMIT")?;
                    return Ok(outcomes);
                }
                Tried::Halfway => savepoints = true,
                Tried::Damaged(index, damage) => met[index] = Some(damage),
            }
            self.run("ROLLBACK")?;
        }
    }

    /// The outcomes of a group within a transaction, but for those that are known to meet damage.
    fn all(&self, group: &[&Write], savepoints: bool, met: &[Option<Damage>]) -> rusqlite::Result<Tried> {
        let mut outcomes = Vec::with_capacity(group.len());
        let mut transaction = Transaction::on(&self.connection);
        for (index, write) in group.iter().enumerate() {
            if let Some(damage) = &met[index] {
                outcomes.push(Err(damage.clone().into()));
                continue;
            }
            if savepoints {
                self.run("SAVEPOINT request")?;
            }
            let outcome = match transaction.write(write) {
                Ok(epoch) => Ok(epoch),
                Err(Refusal::Decided(error)) => Err(error),
                // On a full disk SQLite gives the whole transaction up by itself.
                Err(Refusal::Failed(error)) if self.connection.is_autocommit() => return Err(error),
                Err(Refusal::Failed(error)) => match error.sqlite_error_code() {
                    // A page that cannot be read is the damage of the request that needs it. SQLite commits nothing
                    // any more that has met one: the others begin again without it.
                    Some(ErrorCode::DatabaseCorrupt) => {
                        return Ok(Tried::Damaged(index, self.damage(write, &error)));
                    }
                    Some(ErrorCode::ConstraintViolation) if !savepoints => return Ok(Tried::Halfway),
                    Some(ErrorCode::ConstraintViolation) => {
                        self.run("ROLLBACK TO request")?;
                        transaction.forget();
                        Err(Failure::of(write.doing(), &self.path, &error).into())
                    }
                    _ => return Err(error),
                },
            };
            if savepoints {
                self.run("RELEASE request")?;
            }
            outcomes.push(outcome);
        }
        Ok(Tried::All(outcomes))
    }

    fn damage(&self, write: &Write, error: &rusqlite::Error) -> Damage {
        Damage {
            run: write.run(),
            what: format!("`{}`: {error}", self.path.display()),
        }
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
