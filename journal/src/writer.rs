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

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::act::Write;
use crate::commit::{Outcome, Work};
use crate::error::unusable;
use crate::schema::BUSY_TIMEOUT;

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

struct Request {
    write: Write,
    acknowledge: oneshot::Sender<Outcome>,
}

#[derive(Default)]
struct Queue {
    requests: Vec<Request>,
    /// There is something for the thread.
    is_called: bool,
    /// Nothing comes any more.
    is_closed: bool,
}

struct Shared {
    path: PathBuf,
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
    pub(crate) fn start(connection: Connection, path: &Path) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            path: path.to_owned(),
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
        loop {
            {
                let mut queue = self.queue();
                while !queue.is_called && !queue.is_closed {
                    queue = self.call.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
                queue.is_called = false;
                if queue.requests.is_empty() {
                    if queue.is_closed {
                        return;
                    }
                    continue;
                }
            }
            let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
            if matches!(self.serve(&mut work, BUSY_TIMEOUT), Served::ShutOut) {
                let requests = std::mem::take(&mut self.queue().requests);
                for Request { write, acknowledge } in requests {
                    let _ = acknowledge.send(Err(work.shut_out(&write)));
                }
            }
            drop(work);
            let mut queue = self.queue();
            queue.is_called |= !queue.requests.is_empty();
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
        for (request, outcome) in group.into_iter().zip(outcomes) {
            // Nobody waits any more: the write stands all the same.
            let _ = request.acknowledge.send(outcome);
        }
        Served::All
    }
}
