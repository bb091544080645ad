//! The journal as a [`Store`].

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use mesosflow_workflow::store::{check_batch, check_first};
use mesosflow_workflow::{
    BoxFuture, ClusterId, Epoch, Lease, Recorded, RunId, RunRow, Salvaged, Seq, Snapshot, Store, StoreError,
};
use rusqlite::Connection;

use crate::act::Write;
use crate::check::{self, Report};
use crate::connect::Access;
use crate::error::{disk_full, unusable};
use crate::identity::{Anchor, Attached, Options};
use crate::list::list;
use crate::lock::{Locks, RunLock};
use crate::row::EventRow;
use crate::schema;
use crate::snapshot::SnapshotRow;
use crate::writer::{PATIENCE, Writer};
use crate::{files, read, watch};

/// How many events are read at a time where all are wanted.
const PAGE: usize = 512;

/// A journal in one SQLite file, for as many processes as like: each run in it is written by one.
///
/// Writes go through a thread of their own, which commits together what waits together; reads have a connection
/// of their own and do not wait for writes. Dropping the journal waits until what was submitted is written.
///
/// Futures of what reads, and of [`create`](Store::create) and [`adopt`](Store::adopt), must be polled within a tokio
/// runtime: they use its threads for blocking work.
#[derive(Debug)]
pub struct SqliteJournal {
    path: PathBuf,
    id: String,
    reader: Arc<Mutex<Attached>>,
    locks: Locks,
    /// None for a journal that may only be read.
    writer: Option<Writer>,
    why_read_only: String,
}

impl SqliteJournal {
    /// Opens the journal at `path`; creates it, with mode 0600 and the folders above it with 0700, where there is none.
    /// An existing file loses every right of group and others.
    ///
    /// # Errors
    ///
    /// [`StoreError::NewerFormat`] for a journal of a newer program, which stays as it is; [`StoreError::Corrupt`] for
    /// a damaged one; [`StoreError::Misplaced`] for one with hard links, in use under another path, or on a network file
    /// system; [`StoreError::Unusable`] where the file cannot be read and written, or is no journal.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, Options::default())
    }

    /// As [`open`](Self::open), as `options` have it.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        let journal = Self::prepare(Anchor::create(path.as_ref(), options)?)?;
        match journal.writer {
            Some(_) => Ok(journal),
            None => Err(unusable("write to", &journal.path, journal.why_read_only.clone())),
        }
    }

    /// Opens the journal at `path` if there is one, and never creates it. A journal on a read-only medium or a full disk
    /// can be read: every write is then refused with [`StoreError::Unusable`], which says why.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_existing(path: impl AsRef<Path>) -> Result<Option<Self>, StoreError> {
        Self::open_existing_with(path, Options::default())
    }

    /// As [`open_existing`](Self::open_existing), as `options` have it.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_existing_with(path: impl AsRef<Path>, options: Options) -> Result<Option<Self>, StoreError> {
        Anchor::existing(path.as_ref(), options)?
            .map(Self::prepare)
            .transpose()
    }

    /// Where the journal is, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Verifies the whole journal: SQLite's structure, every row and every snapshot. What is wrong is in the report.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unusable`] where the file cannot be read at all.
    pub async fn verify(&self) -> Result<Report, StoreError> {
        self.with_reader(|connection, path| check::verify(connection, path))
            .await
    }

    fn prepare(anchor: Anchor) -> Result<Self, StoreError> {
        Self::prepare_writing(&anchor).or_else(|error| match disk_full(&error) {
            Some(full) => {
                tracing::warn!(journal = %anchor.path().display(), %full, "the journal can only be read");
                Self::reading(&anchor, anchor.connect(Access::Alone)?, full)
            }
            None => Err(error),
        })
    }

    fn prepare_writing(anchor: &Anchor) -> Result<Self, StoreError> {
        let path = anchor.path();
        let mut connection = anchor.connect(Access::Write)?;
        let writable = match schema::identify(&connection, path) {
            Ok(_) => !schema::is_read_only(&connection, path)?,
            Err(StoreError::Unusable { .. }) if is_immutable(anchor) => {
                // Write-ahead logging wants files beside the journal, which this medium does not let it make.
                connection = anchor.connect(Access::Immutable)?;
                schema::identify(&connection, path)?;
                false
            }
            Err(error) => return Err(error),
        };
        if !writable {
            return Self::reading(anchor, connection, "the file or its folder is read-only");
        }
        files::restrict(path)?;
        schema::prepare_writer(&mut connection, path, &Locks::of(anchor))?;
        // A new journal has its log only now.
        anchor.claim_log()?;
        let reader = anchor.connect(Access::Write)?;
        let mut journal = Self::reading(anchor, reader, "it was opened read-only")?;
        // SQLite gives the files beside the journal its mode; those of an older program may have another.
        files::restrict(path)?;
        let writer = Writer::start(connection, path, PATIENCE);
        journal.writer = Some(writer.map_err(|error| unusable("start the writer of", path, error))?);
        Ok(journal)
    }

    /// A journal that is only read, through `reader`, and why.
    fn reading(anchor: &Anchor, reader: Attached, why: impl std::fmt::Display) -> Result<Self, StoreError> {
        let path = anchor.path();
        let reader = match schema::identify(&reader, path)? {
            0 => return Err(unusable("read", path, format!("the file is empty, and {why}"))),
            version if version < schema::LATEST => anchor.attach(schema::migrated(&reader, path)?),
            _ => reader,
        };
        schema::prepare_reader(&reader, path)?;
        check::check(&reader, path)?;
        Ok(Self {
            id: read::id(&reader, path)?,
            path: path.to_owned(),
            reader: Arc::new(Mutex::new(reader)),
            locks: Locks::of(anchor),
            writer: None,
            why_read_only: why.to_string(),
        })
    }

    /// Runs `read` with the reader's connection on a thread that may block.
    pub(crate) async fn with_reader<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Connection, &Path) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reader, path) = (Arc::clone(&self.reader), self.path.clone());
        self.blocking(move || {
            let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
            let outcome = read(&mut reader, &path);
            // What is read of a file that is not there any more is no news.
            watch::in_place(reader.anchor()).map_err(|displacement| displacement.failure(&path))?;
            outcome
        })
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

    /// Locks the cluster of `run`, and leases it by `write`. The lock comes first: who holds it is told before any damage.
    async fn lease(&self, run: RunId, write: Write) -> Result<Lease, StoreError> {
        let cluster = self
            .with_reader(move |connection, path| read::cluster_of(connection, path, run))
            .await?;
        let lock = self.lock(cluster, run).await?;
        let epoch = self.submit(Ok(write)).await?;
        Ok(Lease::new(run, cluster, epoch, Box::new(lock)))
    }

    /// Locks a cluster for a driver of `run`. Where that is refused, the run is told that is driven, as far as the journal knows.
    async fn lock(&self, cluster: ClusterId, run: RunId) -> Result<RunLock, StoreError> {
        let locks = self.locks.clone();
        let locked = self.blocking(move || locks.acquire(cluster, run)).await;
        let Err(StoreError::Held { run, holder }) = locked else {
            return locked;
        };
        let driven = self
            .with_reader(move |connection, path| read::driven(connection, path, cluster))
            .await;
        let run = driven.ok().flatten().unwrap_or(run);
        Err(StoreError::Held { run, holder })
    }

    /// Queues `write`, now.
    fn submit(&self, write: Result<Write, StoreError>) -> BoxFuture<'static, Result<Epoch, StoreError>> {
        match (write, &self.writer) {
            (Ok(write), Some(writer)) => Box::pin(writer.submit(write)),
            (Ok(_), None) => {
                let error = unusable("write to", &self.path, self.why_read_only.clone());
                Box::pin(std::future::ready(Err(error)))
            }
            (Err(error), _) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

/// Whether a journal can be read without the files beside it: it has no log with commits of its own.
fn is_immutable(anchor: &Anchor) -> bool {
    let log = files::beside(anchor.path(), "-wal").metadata();
    !anchor.is_writable() && log.map_or(true, |log| log.len() == 0)
}

impl Store for SqliteJournal {
    fn id(&self) -> &str {
        &self.id
    }

    fn create(&self, first: Arc<Recorded>) -> BoxFuture<'_, Result<Lease, StoreError>> {
        Box::pin(async move {
            let row = check_first(&first)?;
            let (run, cluster) = (row.run, row.cluster_id);
            let write = Write::Create {
                row,
                first: Box::new(EventRow::encode(&first)?),
            };
            let lock = self.lock(cluster, run).await?;
            let epoch = self.submit(Ok(write)).await?;
            Ok(Lease::new(run, cluster, epoch, Box::new(lock)))
        })
    }

    fn adopt(&self, run: RunId, above: Epoch) -> BoxFuture<'_, Result<Lease, StoreError>> {
        Box::pin(self.lease(run, Write::Adopt { run, above }))
    }

    fn adopt_damaged(&self, run: RunId, above: Epoch) -> BoxFuture<'_, Result<Lease, StoreError>> {
        Box::pin(self.lease(run, Write::Mend { run, above }))
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
            .map(|rows| Write::Append {
                run,
                epoch,
                events,
                rows,
            });
        let appended = self.submit(write);
        Box::pin(async move { appended.await.map(|_| ()) })
    }

    fn read(&self, run: RunId, after: Seq, limit: usize) -> BoxFuture<'_, Result<Vec<Recorded>, StoreError>> {
        Box::pin(self.with_reader(move |connection, path| read::page(connection, path, run, after, limit)))
    }

    fn load(&self, run: RunId) -> BoxFuture<'_, Result<Vec<Recorded>, StoreError>> {
        Box::pin(async move {
            let mut events: Vec<Recorded> = Vec::new();
            // Page by page: a reader that stays keeps the log from being taken over into the file.
            loop {
                let after = events.last().map_or(Seq(0), |last| last.seq);
                let page = self.read(run, after, PAGE).await?;
                let is_last = page.len() < PAGE;
                events.extend(page);
                if is_last {
                    return Ok(events);
                }
            }
        })
    }

    fn salvage(&self, run: RunId) -> BoxFuture<'_, Result<Salvaged, StoreError>> {
        Box::pin(self.with_reader(move |connection, path| read::salvage(connection, path, run)))
    }

    fn keep(&self, lease: &Lease, snapshot: Snapshot) -> BoxFuture<'static, Result<(), StoreError>> {
        let (run, epoch) = (lease.run(), lease.epoch());
        let kept = self.submit(Ok(Write::Keep {
            run,
            epoch,
            snapshot: SnapshotRow::encode(run, snapshot),
        }));
        Box::pin(async move { kept.await.map(|_| ()) })
    }

    fn snapshot(&self, run: RunId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        Box::pin(self.with_reader(move |connection, path| read::snapshot(connection, path, run)))
    }

    fn runs(&self) -> BoxFuture<'_, Result<Vec<RunRow>, StoreError>> {
        Box::pin(self.with_reader(|connection, path| list(connection, path)))
    }

    fn is_held(&self, run: RunId) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            let cluster = self
                .with_reader(move |connection, path| read::cluster_of(connection, path, run))
                .await;
            let cluster = match cluster {
                Err(StoreError::UnknownRun { .. }) => return Ok(false),
                cluster => cluster?,
            };
            let locks = self.locks.clone();
            self.blocking(move || locks.is_held(cluster)).await
        })
    }

    fn retire(&self, lease: &Lease) -> BoxFuture<'static, Result<(), StoreError>> {
        let retired = self.submit(Ok(Write::Retire {
            run: lease.run(),
            epoch: lease.epoch(),
        }));
        Box::pin(async move { retired.await.map(|_| ()) })
    }
}
