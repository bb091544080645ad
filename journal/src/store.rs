//! The journal as a [`Store`].

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use mesosflow_workflow::store::{check_batch, check_first};
use mesosflow_workflow::{BoxFuture, Epoch, Lease, Recorded, RunId, RunRow, Store, StoreError};
use rusqlite::{Connection, OptionalExtension};

use crate::check::check;
use crate::commit::Write;
use crate::error::{sqlite, unusable};
use crate::files;
use crate::lock::Locks;
use crate::row::{COLUMNS, EventRow, OF_RUN, parsed};
use crate::schema::{self, Access};
use crate::writer::Writer;

/// A journal in one SQLite file, for as many processes as like: each run in it is written by one.
///
/// Writes go through a thread of their own, which commits together what waits together; reads have a connection
/// of their own and do not wait for writes. Dropping the journal waits until what was submitted is written.
///
/// Futures of [`create`](Store::create), [`adopt`](Store::adopt), [`load`](Store::load), [`runs`](Store::runs) and
/// [`is_held`](Store::is_held) must be polled within a tokio runtime: they use its threads for blocking work.
#[derive(Debug)]
pub struct SqliteJournal {
    path: PathBuf,
    reader: Arc<Mutex<Connection>>,
    locks: Locks,
    /// None for a journal that may only be read.
    writer: Option<Writer>,
}

impl SqliteJournal {
    /// Opens the journal at `path`; creates it, with mode 0600 and the folders above it with 0700, where there is none.
    /// An existing file loses every right of group and others.
    ///
    /// # Errors
    ///
    /// [`StoreError::NewerFormat`] for a journal of a newer program, which stays as it is; [`StoreError::Corrupt`] for
    /// a damaged one; [`StoreError::Unusable`] where the file cannot be read and written, or is no journal.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = files::create(path.as_ref())?;
        let journal = Self::prepare(path)?;
        match journal.writer {
            Some(_) => Ok(journal),
            None => Err(unusable(
                "write to",
                &journal.path,
                "the file or its folder is read-only",
            )),
        }
    }

    /// Opens the journal at `path` if there is one, and never creates it. A journal on a read-only medium can be read:
    /// every write is then refused with [`StoreError::Unusable`].
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_existing(path: impl AsRef<Path>) -> Result<Option<Self>, StoreError> {
        files::existing(path.as_ref())?.map(Self::prepare).transpose()
    }

    /// Where the journal is, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn prepare(path: PathBuf) -> Result<Self, StoreError> {
        let mut connection = schema::connect(&path, Access::Write)?;
        let writable = match schema::identify(&connection, &path) {
            Ok(_) => !schema::is_read_only(&connection, &path)?,
            Err(StoreError::Unusable { .. }) if is_immutable(&path) => {
                // Write-ahead logging wants files beside the journal, which this medium does not let it make.
                connection = schema::connect(&path, Access::Immutable)?;
                schema::identify(&connection, &path)?;
                false
            }
            Err(error) => return Err(error),
        };
        let locks = Locks::of(&path);
        if !writable {
            return Self::reading(path, connection, locks, None);
        }
        files::restrict(&path)?;
        schema::prepare_writer(&mut connection, &path)?;
        let reader = schema::connect(&path, Access::Write)?;
        let mut journal = Self::reading(path, reader, locks, None)?;
        // SQLite gives the files beside the journal its mode; those of an older program may have another.
        files::restrict(&journal.path)?;
        let writer = Writer::start(connection, &journal.path);
        journal.writer = Some(writer.map_err(|error| unusable("start the writer of", &journal.path, error))?);
        Ok(journal)
    }

    /// A journal whose file is verified and read through `reader`.
    fn reading(
        path: PathBuf,
        mut reader: Connection,
        locks: Locks,
        writer: Option<Writer>,
    ) -> Result<Self, StoreError> {
        schema::prepare_reader(&reader, &path)?;
        if schema::identify(&reader, &path)? < schema::LATEST {
            return Err(unusable("migrate", &path, "the file or its folder is read-only"));
        }
        check(&mut reader, &path)?;
        Ok(Self {
            path,
            reader: Arc::new(Mutex::new(reader)),
            locks,
            writer,
        })
    }

    /// Runs `read` with the reader's connection on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Connection, &Path) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reader, path) = (Arc::clone(&self.reader), self.path.clone());
        self.blocking(move || read(&mut reader.lock().unwrap_or_else(PoisonError::into_inner), &path))
            .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        tokio::task::spawn_blocking(act)
            .await
            .map_err(|error| unusable("use", &self.path, error))?
    }

    /// Queues `write`, now.
    fn submit(&self, write: Result<Write, StoreError>) -> BoxFuture<'static, Result<Epoch, StoreError>> {
        match (write, &self.writer) {
            (Ok(write), Some(writer)) => Box::pin(writer.submit(write)),
            (Ok(_), None) => {
                let error = unusable("write to", &self.path, "it was opened read-only");
                Box::pin(std::future::ready(Err(error)))
            }
            (Err(error), _) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

/// Whether the journal at `path` can be read without the files beside it: it has no log with commits of its own.
fn is_immutable(path: &Path) -> bool {
    let log = files::beside(path, "-wal").metadata();
    log.map_or(true, |log| log.len() == 0)
        && std::fs::OpenOptions::new()
            .append(true)
            .open(path)
            .is_err_and(|error| {
                matches!(
                    error.kind(),
                    std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem
                )
            })
}

impl Store for SqliteJournal {
    fn create(&self, first: Arc<Recorded>) -> BoxFuture<'_, Result<Lease, StoreError>> {
        Box::pin(async move {
            let row = check_first(&first)?;
            let run = row.run;
            let write = Write::Create {
                row,
                first: Box::new(EventRow::encode(&first)?),
            };
            let locks = self.locks.clone();
            let lock = self.blocking(move || locks.acquire(run)).await?;
            match self.submit(Ok(write)).await {
                Ok(epoch) => Ok(Lease::new(run, epoch, Box::new(lock))),
                Err(error) => {
                    lock.discard();
                    Err(error)
                }
            }
        })
    }

    fn adopt(&self, run: RunId) -> BoxFuture<'_, Result<Lease, StoreError>> {
        Box::pin(async move {
            self.read(move |connection, path| known(connection, path, run))
                .await?;
            let locks = self.locks.clone();
            let lock = self.blocking(move || locks.acquire(run)).await?;
            let epoch = self.submit(Ok(Write::Adopt(run))).await?;
            Ok(Lease::new(run, epoch, Box::new(lock)))
        })
    }

    fn append(
        &self,
        lease: &Lease,
        events: Vec<Arc<Recorded>>,
    ) -> BoxFuture<'static, Result<(), StoreError>> {
        let (run, epoch) = (lease.run(), lease.epoch());
        // The caller's thread writes the JSON: the writer's time is everybody's.
        let write = check_batch(run, epoch, &events)
            .and_then(|()| events.iter().map(EventRow::encode).collect())
            .map(|events| Write::Append { run, epoch, events });
        let appended = self.submit(write);
        Box::pin(async move { appended.await.map(|_| ()) })
    }

    fn load(&self, run: RunId) -> BoxFuture<'_, Result<Vec<Recorded>, StoreError>> {
        Box::pin(self.read(move |connection, path| {
            let fail = |error: rusqlite::Error| sqlite("read", path, &error);
            let mut select = connection
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM events WHERE {OF_RUN} ORDER BY place"
                ))
                .map_err(fail)?;
            let rows = select
                .query_map([run.to_string()], EventRow::read)
                .map_err(fail)?;
            let events = rows
                .map(|row| row.map_err(fail)?.decode())
                .collect::<Result<Vec<_>, _>>()?;
            // A run exists with its first event or not at all.
            if events.is_empty() {
                Err(StoreError::UnknownRun { run })
            } else {
                Ok(events)
            }
        }))
    }

    fn runs(&self) -> BoxFuture<'_, Result<Vec<RunRow>, StoreError>> {
        Box::pin(self.read(|connection, path| list(connection).map_err(|error| sqlite("read", path, &error))))
    }

    fn is_held(&self, run: RunId) -> BoxFuture<'_, Result<bool, StoreError>> {
        let locks = self.locks.clone();
        Box::pin(self.blocking(move || locks.is_held(run)))
    }

    fn retire(&self, lease: &Lease) -> BoxFuture<'static, Result<(), StoreError>> {
        let retired = self.submit(Ok(Write::Retire {
            run: lease.run(),
            epoch: lease.epoch(),
        }));
        Box::pin(async move { retired.await.map(|_| ()) })
    }
}

fn known(connection: &Connection, path: &Path, run: RunId) -> Result<(), StoreError> {
    connection
        .prepare_cached("SELECT 1 FROM runs WHERE run = ?1")
        .and_then(|mut select| select.query_row([run.to_string()], |_| Ok(())).optional())
        .map_err(|error| sqlite("read", path, &error))?
        .ok_or(StoreError::UnknownRun { run })
}

fn list(connection: &Connection) -> rusqlite::Result<Vec<RunRow>> {
    let mut select = connection.prepare_cached(
        "SELECT run, cluster, provider, created_at, owns_cluster FROM runs ORDER BY created_at, run",
    )?;
    let rows = select.query_map([], |row| {
        Ok(RunRow {
            run: parsed(row, 0)?,
            cluster: row.get(1)?,
            provider: row.get(2)?,
            created_at: parsed(row, 3)?,
            owns_cluster: row.get(4)?,
        })
    })?;
    rows.collect()
}
