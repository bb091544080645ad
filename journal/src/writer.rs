//! Who writes, and when: requests share commits, and an idle journal answers at once.
//!
//! Requests queue up while a commit is on its way to the disk, and the next commit takes all that wait: the disk's
//! latency is paid once for as many appends as came meanwhile. None is acknowledged before the commit that holds it.
//! There is one connection that writes, and whoever has it writes for all.
//!
//! That is the thread `journal-writer`, with one exception. On a fast disk a commit takes less than waking a thread and
//! being woken by it, and a run whose steps follow each other would pay for both at every step. So while commits are
//! fast ([`FAST`]), a task that finds nobody writing carries out the next commit itself: one, and where tasks write
//! side by side, after it has let those that are ready queue theirs. What comes meanwhile, and everything on a slower
//! disk, is the thread's.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::act::Write;
use crate::commit::{Outcome, Work};
use crate::error::unusable;
use crate::identity::Attached;

/// How the thread waits for another process that is writing: a backup tool, a `VACUUM`, a stopped process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// After how long it says so, and again each time.
    pub(crate) round: Duration,
    /// After how long the requests are refused. A run is not to end for less.
    pub(crate) total: Duration,
}

/// As it is.
pub(crate) const PATIENCE: Patience = Patience {
    round: Duration::from_secs(5),
    total: Duration::from_secs(600),
};
/// How long those who read are waited for when the log has become long: they read a page of history at a time.
const READERS: Duration = Duration::from_millis(250);
/// The most requests that share a commit: bounds how long the first of them waits for the last.
const LARGEST_GROUP: usize = 512;
/// Up to which duration of a commit, on average, a task may carry it out: it keeps its thread from other tasks for as
/// long.
const FAST: Duration = Duration::from_millis(1);
/// How many commits the average goes back, about.
const MEMORY: u64 = 8;
/// After how many commits of one request each a task looks again whether others are ready: letting them go first costs
/// about as much as a thread's wake-up.
const LOOK_AROUND: u64 = 8;

/// The target of what the user wants to see as it happens.
const PROGRESS: &str = "mesosflow::progress";

struct Request {
    write: Write,
    acknowledge: oneshot::Sender<Outcome>,
}

#[derive(Default)]
struct Queue {
    requests: Vec<Request>,
    /// There is something for the thread.
    is_called: bool,
    /// The log is to be taken over into the file, by the thread: it may have to wait.
    log_is_long: bool,
    /// Nothing comes any more.
    is_closed: bool,
}

struct Shared {
    path: PathBuf,
    patience: Patience,
    queue: Mutex<Queue>,
    call: Condvar,
    /// Held by whoever commits. Requests are taken from the queue under it only, so that they are written in order.
    work: Mutex<Work>,
    /// What a commit takes on average, in microseconds.
    pace: AtomicU64,
    /// How many commits in a row had one request only.
    lone: AtomicU64,
}

/// What is to be done about requests that were taken from the queue.
enum Served {
    All,
    /// Another process is writing: they are in the queue again.
    ShutOut,
}

/// The writing side of a journal. Dropping it waits until everything that was submitted is written.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("path", &self.shared.path)
            .finish_non_exhaustive()
    }
}

impl Writer {
    /// Starts the thread. Nothing else writes through `connection` from now on.
    pub(crate) fn start(connection: Attached, path: &Path, patience: Patience) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            patience,
            queue: Mutex::default(),
            call: Condvar::new(),
            work: Mutex::new(Work::new(connection, path)),
            pace: AtomicU64::new(0),
            lone: AtomicU64::new(0),
        });
        let worker = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("journal-writer".to_owned())
            .spawn(move || worker.serve_until_closed())?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Queues `write`: now, in the order of the calls. The future waits for its commit; dropping it changes nothing.
    pub(crate) fn submit(&self, write: Write) -> impl Future<Output = Outcome> + Send + use<> {
        let doing = write.doing();
        let (acknowledge, mut outcome) = oneshot::channel();
        self.shared.queue().requests.push(Request { write, acknowledge });
        let mut caller = Caller {
            shared: Arc::clone(&self.shared),
            is_due: true,
        };
        if !self.shared.is_fast() {
            caller.call();
        }
        async move {
            if caller.is_due {
                if caller.shared.may_have_company() {
                    // What else is ready to run may have something to write as well: it joins this commit.
                    tokio::task::yield_now().await;
                }
                if outcome.is_empty() {
                    caller.shared.serve_once();
                }
                // The request is taken by now, or whoever has the connection sees it when done.
                caller.is_due = false;
            }
            (&mut outcome)
                .await
                .unwrap_or_else(|_| Err(unusable(doing, &caller.shared.path, "its writer has stopped")))
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.queue().is_closed = true;
        self.shared.call.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(journal = %self.shared.path.display(), "the journal's writer panicked");
        }
        // SQLite does it itself where nobody else has the journal open. Who only looked leaves it to those who write.
        if let Ok(mut work) = self.shared.work.try_lock()
            && work.has_written()
        {
            work.shorten_log(Duration::ZERO);
        }
    }
}

/// Calls the thread for a request whose future is dropped before it saw to it itself.
struct Caller {
    shared: Arc<Shared>,
    is_due: bool,
}

impl Caller {
    fn call(&mut self) {
        self.is_due = false;
        self.shared.call_thread();
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        if self.is_due {
            self.call();
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_fast(&self) -> bool {
        Duration::from_micros(self.pace.load(Ordering::Relaxed)) <= FAST
    }

    fn may_have_company(&self) -> bool {
        self.lone.load(Ordering::Relaxed).is_multiple_of(LOOK_AROUND)
    }

    fn call_thread(&self) {
        self.queue().is_called = true;
        self.call.notify_one();
    }

    /// Commits what waits, on the caller's thread, if nobody else is at it.
    fn serve_once(&self) {
        match self.work.try_lock() {
            Ok(mut work) => _ = self.serve(&mut work, Duration::ZERO),
            Err(TryLockError::Poisoned(work)) => _ = self.serve(&mut work.into_inner(), Duration::ZERO),
            Err(TryLockError::WouldBlock) => return,
        }
        // Only now that the connection is free: a request that came before found it taken and relies on this look.
        if !self.queue().requests.is_empty() {
            self.call_thread();
        }
    }

    fn serve_until_closed(&self) {
        let mut shut_out: Option<Instant> = None;
        loop {
            let log_is_long = {
                let mut queue = self.queue();
                while !queue.is_called && !queue.log_is_long && !queue.is_closed {
                    queue = self.call.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
                queue.is_called = false;
                if queue.requests.is_empty() && queue.is_closed {
                    return;
                }
                std::mem::take(&mut queue.log_is_long)
            };
            let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
            let started = Instant::now();
            match self.serve(&mut work, self.patience.round) {
                Served::All => shut_out = None,
                Served::ShutOut => self.wait_on(&work, *shut_out.get_or_insert(started)),
            }
            if log_is_long {
                work.shorten_log(READERS);
            }
            drop(work);
            let mut queue = self.queue();
            queue.is_called |= !queue.requests.is_empty();
        }
    }

    /// Another process has been writing since `since`: says so, and refuses what waits where it takes too long.
    fn wait_on(&self, work: &Work, since: Instant) {
        let seconds = since.elapsed().as_secs();
        if since.elapsed() < self.patience.total {
            tracing::warn!(
                target: PROGRESS,
                journal = %self.path.display(),
                "another process has been writing to the journal for {seconds} s: waiting for it"
            );
            return;
        }
        let requests = std::mem::take(&mut self.queue().requests);
        for Request { write, acknowledge } in requests {
            let _ = acknowledge.send(Err(work.shut_out(&write)));
        }
    }

    /// One commit with what waits.
    fn serve(&self, work: &mut Work, patience: Duration) -> Served {
        let group: Vec<Request> = {
            let mut queue = self.queue();
            let size = queue.requests.len().min(LARGEST_GROUP);
            queue.requests.drain(..size).collect()
        };
        if group.is_empty() {
            return Served::All;
        }
        let started = Instant::now();
        let writes: Vec<&Write> = group.iter().map(|request| &request.write).collect();
        let Some(outcomes) = work.commit(&writes, patience) else {
            self.queue().requests.splice(0..0, group);
            return Served::ShutOut;
        };
        let took = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let pace = self.pace.load(Ordering::Relaxed);
        self.pace
            .store(pace - pace / MEMORY + took / MEMORY, Ordering::Relaxed);
        let lone = self.lone.load(Ordering::Relaxed);
        self.lone
            .store(if group.len() == 1 { lone + 1 } else { 0 }, Ordering::Relaxed);
        if work.has_a_long_log() {
            self.queue().log_is_long = true;
            self.call.notify_one();
        }
        for (request, outcome) in group.into_iter().zip(outcomes) {
            // Nobody waits any more: the write stands all the same.
            let _ = request.acknowledge.send(outcome);
        }
        Served::All
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::Access;
    use crate::identity::{Anchor, Options};
    use crate::lock::Locks;
    use crate::row::EventRow;
    use crate::schema;
    use mesosflow_workflow::contract::first;
    use mesosflow_workflow::store::check_first;
    use mesosflow_workflow::{Epoch, StoreError};
    use rusqlite::Connection;

    fn create() -> Write {
        let begin = first("demo");
        Write::Create {
            row: check_first(&begin).unwrap(),
            first: Box::new(EventRow::encode(&begin).unwrap()),
        }
    }

    /// A writer of this patience, and another connection to the same journal.
    fn writer(total: Duration) -> (tempfile::TempDir, Writer, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let anchor = Anchor::create(&folder.path().join("journal.sqlite"), Options::default()).unwrap();
        let path = anchor.path();
        let mut connection = anchor.connect(Access::Write).unwrap();
        schema::prepare_writer(&mut connection, path, &Locks::of(&anchor)).unwrap();
        let patience = Patience {
            round: Duration::from_millis(5),
            total,
        };
        let other = Connection::open(path).unwrap();
        (folder, Writer::start(connection, path, patience).unwrap(), other)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_waits_for_another_process_is_written_once_it_is_let_in() {
        let (_folder, writer, other) = writer(Duration::from_secs(600));
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let write = tokio::spawn(writer.submit(create()));
        // Several rounds, each of which would have been the last one.
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(100) {
            assert!(!write.is_finished());
            tokio::task::yield_now().await;
        }
        other.execute_batch("ROLLBACK").unwrap();
        assert_eq!(write.await.unwrap().unwrap(), Epoch::FIRST);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_waits_longer_than_all_patience_is_refused_and_the_next_is_tried() {
        let (_folder, writer, other) = writer(Duration::from_millis(20));
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        match writer.submit(create()).await {
            Err(StoreError::Unusable { source, .. }) => {
                assert!(source.to_string().contains("another process"), "{source}");
            }
            outcome => panic!("{outcome:?}"),
        }
        other.execute_batch("ROLLBACK").unwrap();
        writer.submit(create()).await.unwrap();
    }
}
