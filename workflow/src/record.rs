//! The way of every event into the store: numbered, folded, appended, and only then shown.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{BoxFuture, Clock};
use crate::error::{ErrorClass, StepError};
use crate::event::{EVENT_FORMAT, Event, Recorded};
use crate::ids::Seq;
use crate::state::{IllegalTransition, RunState};
use crate::store::{Lease, Store, StoreError};

/// How long a success waits for the start of the next step, with which it shares a commit. Losing it to a crash is safe:
/// the step is then probed and found done.
const NOTE_LINGER: Duration = Duration::from_millis(2);

/// After how many events the state is kept beside the history, so that a reader need not fold all of it.
const KEEP_EVERY: u64 = 2048;

/// Is told of every event once it is durable, in order. Must neither block nor call the recorder.
pub type Observer = Arc<dyn Fn(&Recorded) + Send + Sync>;

/// An event could not be recorded; the run cannot go on, since nothing may happen that the journal does not know.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RecordError {
    /// The store refused or failed.
    #[error("cannot write the journal")]
    Store(#[source] Arc<StoreError>),
    /// The event cannot follow the history: a defect of the program.
    #[error("the engine broke its own rules")]
    Illegal(#[source] Arc<IllegalTransition>),
}

impl StepError for RecordError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Permanent
    }
}

/// Writes one run's history.
pub struct Recorder {
    /// Where it goes; of a rehearsal nowhere.
    store: Option<Arc<dyn Store>>,
    lease: Lease,
    clock: Arc<dyn Clock>,
    book: Mutex<Book>,
    /// Handed to the store, and not yet shown to the observer.
    in_flight: Mutex<VecDeque<Arc<Recorded>>>,
    /// Wakes [`Recorder::flush_stragglers`].
    noted: Notify,
    observer: Observer,
}

struct Book {
    state: RunState,
    /// The last event that the newest snapshot has.
    kept: Seq,
    /// Recorded in the state, and not yet handed to the store.
    noted: Vec<Arc<Recorded>>,
    failure: Option<RecordError>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while holding the lock leaves numbers and state consistent: they change together at the end.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// A recorder that goes on from `state`, under `lease`; without a store, one that only folds. `kept` is the last event of the
    /// newest snapshot.
    pub(crate) fn new(
        store: Option<Arc<dyn Store>>,
        lease: Lease,
        clock: Arc<dyn Clock>,
        state: RunState,
        kept: Seq,
        observer: Observer,
    ) -> Arc<Self> {
        let in_flight = Mutex::new(VecDeque::new());
        let book = Mutex::new(Book {
            kept,
            state,
            noted: Vec::new(),
            failure: None,
        });
        let noted = Notify::new();
        Arc::new(Self {
            store,
            lease,
            clock,
            book,
            in_flight,
            noted,
            observer,
        })
    }

    /// The state now, a copy.
    pub fn state(&self) -> RunState {
        self.inspect(RunState::clone)
    }

    /// Looks at the state now.
    pub fn inspect<T>(&self, look: impl FnOnce(&RunState) -> T) -> T {
        look(&lock(&self.book).state)
    }

    pub(crate) const fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(crate) fn store(&self) -> Option<&dyn Store> {
        self.store.as_deref()
    }

    /// Records an event and everything noted before it, in one transaction; returns once that is durable.
    ///
    /// # Errors
    /// The store refused or failed (from then on every call fails), or the event cannot follow.
    pub async fn record(&self, event: Event) -> Result<(), RecordError> {
        self.record_with(|_| event).await
    }

    /// The same for an event that depends on the state, with nothing happening between the look and the record.
    pub(crate) async fn record_with(
        &self,
        event: impl FnOnce(&RunState) -> Event,
    ) -> Result<(), RecordError> {
        let (last, acknowledged) = {
            let mut book = lock(&self.book);
            let event = event(&book.state);
            self.enter(&mut book, event)?;
            self.send(&mut book)
        };
        self.settle(last, acknowledged.await)
    }

    /// Notes an event: it takes its place in the history now and becomes durable with the next recorded one, or by
    /// itself very soon. For outcomes, which may be lost to a crash without harm; never for intents.
    ///
    /// # Errors
    /// An earlier append failed, or the event cannot follow.
    pub(crate) fn note(&self, event: Event) -> Result<(), RecordError> {
        let mut book = lock(&self.book);
        self.enter(&mut book, event)?;
        if book.noted.len() == 1 {
            self.noted.notify_one();
        }
        Ok(())
    }

    /// Makes what is noted durable when nothing that is recorded takes it along soon. Runs beside the flow, in its task,
    /// and never ends by itself.
    pub(crate) async fn flush_stragglers(&self) -> std::convert::Infallible {
        loop {
            self.noted.notified().await;
            self.clock.sleep(NOTE_LINGER).await;
            // A failure is kept and met by the next event, at the latest by the run's last one.
            let _kept = self.flush().await;
        }
    }

    /// Makes everything noted durable.
    pub(crate) async fn flush(&self) -> Result<(), RecordError> {
        let (last, acknowledged) = {
            let mut book = lock(&self.book);
            if let Some(failure) = &book.failure {
                return Err(failure.clone());
            }
            if book.noted.is_empty() {
                return Ok(());
            }
            self.send(&mut book)
        };
        self.settle(last, acknowledged.await)
    }

    /// Hands everything noted to the store. Under the book's lock: the store's order is the order of the numbers.
    fn send(&self, book: &mut Book) -> (Seq, BoxFuture<'static, Result<(), StoreError>>) {
        let batch = std::mem::take(&mut book.noted);
        lock(&self.in_flight).extend(batch.iter().cloned());
        let last = book.state.seq;
        let Some(store) = &self.store else {
            return (last, Box::pin(std::future::ready(Ok(()))));
        };
        let appended = store.append(&self.lease, batch);
        if last.0 >= book.kept.0 + KEEP_EVERY {
            book.kept = last;
            if let Some(snapshot) = book.state.to_snapshot() {
                // Nobody waits for it: it is queued behind the append, and may be lost.
                drop(store.keep(&self.lease, snapshot));
            }
        }
        (last, appended)
    }

    fn enter(&self, book: &mut Book, event: Event) -> Result<(), RecordError> {
        if let Some(failure) = &book.failure {
            return Err(failure.clone());
        }
        let generation = match event {
            Event::ReplayRequested { .. } => book.state.generation.next(),
            _ => book.state.generation,
        };
        let recorded = Recorded {
            run: self.lease.run(),
            seq: book.state.seq.next(),
            at: self.clock.now(),
            epoch: self.lease.epoch(),
            generation,
            format: EVENT_FORMAT,
            event,
        };
        book.state
            .apply(&recorded)
            .map_err(|illegal| RecordError::Illegal(Arc::new(illegal)))?;
        book.noted.push(Arc::new(recorded));
        Ok(())
    }

    /// Takes the store's answer to the append that ended with `last`. Appends take effect in order, so it speaks for
    /// all before it as well, also for those whose caller was dropped while it waited.
    fn settle(&self, last: Seq, result: Result<(), StoreError>) -> Result<(), RecordError> {
        if let Err(error) = result {
            let failure = RecordError::Store(Arc::new(error));
            return Err(lock(&self.book).failure.get_or_insert(failure).clone());
        }
        let mut in_flight = lock(&self.in_flight);
        while in_flight.front().is_some_and(|recorded| recorded.seq <= last) {
            if let Some(recorded) = in_flight.pop_front() {
                (self.observer)(&recorded);
            }
        }
        Ok(())
    }
}
