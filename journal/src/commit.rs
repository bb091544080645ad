//! One transaction: what a group of requests writes, and what each of them is answered.
//!
//! A refused request fails alone; the answers are given only after the commit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mesosflow_workflow::{Epoch, RunId, StoreError};
use rusqlite::ErrorCode;
use rusqlite::config::DbConfig;

use crate::act::{Transaction, Write};
use crate::error::{Failure, Refusal, damaged};
use crate::files::beside;
use crate::identity::Attached;
use crate::inode::length;
use crate::watch::{Displacement, Watch};

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
    connection: Attached,
    path: PathBuf,
    log: PathBuf,
    watch: Watch,
    /// A commit failed in a way that leaves open what of it is on the disk.
    broken: Option<Failure>,
    /// How many commits there were.
    commits: u32,
    /// The size of the log at which it is taken over next.
    long: u64,
}

impl Work {
    /// Writes through `connection` to the journal at `path`.
    pub(crate) fn new(connection: Attached, path: &Path) -> Self {
        Self {
            connection,
            path: path.to_owned(),
            log: beside(path, "-wal"),
            watch: Watch::default(),
            broken: None,
            commits: 0,
            long: LONG,
        }
    }

    /// Writes a group in one transaction, and gives each its outcome in the same order; all are refused if the
    /// transaction fails. `None` where another process has been writing for longer than `patience`: nothing is done.
    pub(crate) fn commit(&mut self, group: &[&Write], patience: Duration) -> Option<Vec<Outcome>> {
        let failure = match self.broken.clone().or_else(|| self.displaced_before()) {
            Some(failure) => failure,
            None => match self.transaction(group, patience) {
                // What has gone to a file that is not there any more is not acknowledged.
                Ok(outcomes) => match self.displaced() {
                    None => return Some(outcomes),
                    Some(failure) => failure,
                },
                Err(error) => {
                    let failure = self.abandon(&error, group);
                    if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) {
                        return None;
                    }
                    self.displaced().unwrap_or(failure)
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
        if self.broken.is_some() || self.displaced().is_some() {
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
        length(&self.log)
    }

    /// Why nothing may be written any more, where the journal is not what was opened.
    fn displaced_before(&mut self) -> Option<Failure> {
        let found = self.watch.check_before(self.connection.anchor());
        self.stop_if(found)
    }

    /// Why nothing may be acknowledged any more.
    fn displaced(&mut self) -> Option<Failure> {
        let found = self.watch.check(self.connection.anchor());
        self.stop_if(found)
    }

    fn stop_if(&mut self, found: Result<(), Displacement>) -> Option<Failure> {
        let displacement = found.err()?;
        if let Err(error) = self.settle(&displacement) {
            tracing::warn!(journal = %self.path.display(), %error, "a displaced journal could not be left in order");
        }
        let failure = displacement.failure(&self.path);
        self.broken = Some(failure.clone());
        Some(failure)
    }

    /// Leaves the log beside a displaced journal such that it harms no file that comes to its place.
    fn settle(&self, displacement: &Displacement) -> Result<(), Box<dyn std::error::Error>> {
        match displacement {
            // The file takes over what it has in the log, wherever it is now: what is left beside its old place is empty.
            Displacement::Elsewhere { .. } => {
                self.connection.busy_timeout(Duration::ZERO)?;
                let is_busy: bool =
                    self.connection
                        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
                if !is_busy {
                    self.watch.remove_beside()?;
                }
            }
            // The log belongs to what was overwritten: it is kept, under a name that SQLite does not look for.
            Displacement::Overwritten => {
                self.connection
                    .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
                std::fs::rename(beside(&self.path, "-wal"), beside(&self.path, "-wal.overwritten"))?;
            }
            Displacement::Parted(_) | Displacement::Unseen(_) => {}
        }
        Ok(())
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::identity::{Anchor, Options};
    use crate::lock::Locks;
    use crate::row::EventRow;
    use mesosflow_workflow::contract::{first, next};

    fn work() -> (tempfile::TempDir, Work) {
        let folder = tempfile::tempdir().unwrap();
        let anchor = Anchor::create(&folder.path().join("journal.sqlite"), Options::default()).unwrap();
        let mut connection = anchor.connect(crate::connect::Access::Write).unwrap();
        crate::schema::prepare_writer(&mut connection, anchor.path(), &Locks::of(&anchor)).unwrap();
        (folder, Work::new(connection, anchor.path()))
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

    /// What is deleted before the commit ends is looked for after it.
    #[test]
    fn a_commit_during_which_the_journal_is_deleted_is_not_acknowledged() {
        for _ in 0..50 {
            let (_folder, mut work) = work();
            let begin = first("demo");
            let row = mesosflow_workflow::store::check_first(&begin).unwrap();
            let create = Write::Create {
                row,
                first: Box::new(EventRow::encode(&begin).unwrap()),
            };
            assert!(work.commit(&[&create], Duration::ZERO).unwrap()[0].is_ok());
            let events: Vec<_> = (2..5000).map(|seq| next(&begin, seq)).collect();
            let append = Write::Append {
                run: begin.run,
                epoch: Epoch::FIRST,
                rows: events
                    .iter()
                    .map(|event| EventRow::encode(event).unwrap())
                    .collect(),
                events,
            };
            let path = work.path.clone();
            let is_over = Arc::new(AtomicBool::new(false));
            let is_late = Arc::clone(&is_over);
            let deleting = std::thread::spawn(move || {
                let other = rusqlite::Connection::open(&path).unwrap();
                other.busy_timeout(Duration::ZERO).unwrap();
                // Until the transaction has begun.
                while other.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() {
                    if is_late.load(Ordering::Relaxed) {
                        return None;
                    }
                    std::thread::yield_now();
                }
                std::fs::remove_file(&path).unwrap();
                Some(std::time::Instant::now())
            });
            let outcomes = work.commit(&[&append], Duration::from_secs(10)).unwrap();
            let committed = std::time::Instant::now();
            is_over.store(true, Ordering::Relaxed);
            if deleting
                .join()
                .unwrap()
                .is_some_and(|deleted| deleted < committed)
            {
                assert!(
                    matches!(outcomes[0], Err(StoreError::Misplaced { .. })),
                    "{outcomes:?}"
                );
                return;
            }
        }
        panic!("no file was deleted while a commit went on");
    }
}
