//! A store in memory, for tests: the guarantees of the journal without its disk, and failures on demand.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::BoxFuture;
use crate::event::Recorded;
use crate::ids::{Epoch, RunId, Seq};
use crate::store::{Lease, RunRow, Store, StoreError, check_batch, check_first};

/// Histories in memory. Clones are handles on the same histories, as processes are on one journal.
///
/// A test makes the process "die" with [`fail_after`](Self::fail_after) or [`crash_after`](Self::crash_after), brings
/// the store back with [`recover`](Self::recover), and lets the next engine adopt the run: by dropping the lease, or
/// with [`free`](Self::free) where the dead engine still holds it.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    runs: BTreeMap<RunId, Run>,
    recorded: usize,
    limit: Option<Limit>,
    next_hold: u64,
}

#[derive(Debug)]
struct Run {
    row: RunRow,
    epoch: Epoch,
    events: Vec<Recorded>,
    /// The living lease, by a number of its own: a freed one must not release its successor's when it is dropped.
    held_by: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Limit {
    events: usize,
    acknowledge_last: bool,
}

/// What a lease holds.
struct Hold {
    inner: Arc<Mutex<Inner>>,
    run: RunId,
    number: u64,
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(run) = lock(&self.inner).runs.get_mut(&self.run)
            && run.held_by == Some(self.number)
        {
            run.held_by = None;
        }
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Once `events` events are recorded (of all runs, counted from the store's beginning), every later write is
    /// refused with [`StoreError::Unusable`] and leaves nothing: a crash *before* a commit. A batch that begins below
    /// the limit is kept whole.
    pub fn fail_after(&self, events: usize) {
        lock(&self.inner).limit = Some(Limit {
            events,
            acknowledge_last: true,
        });
    }

    /// As [`fail_after`](Self::fail_after), and the append that reaches the limit is recorded but reported as failed:
    /// a crash *between* a commit and its acknowledgement.
    pub fn crash_after(&self, events: usize) {
        lock(&self.inner).limit = Some(Limit {
            events,
            acknowledge_last: false,
        });
    }

    /// Lifts the limit of [`fail_after`](Self::fail_after) or [`crash_after`](Self::crash_after).
    pub fn recover(&self) {
        lock(&self.inner).limit = None;
    }

    /// Frees `run` as the death of its process would, whoever holds its lease. That lease can append until the run is
    /// adopted, and never after.
    pub fn free(&self, run: RunId) {
        if let Some(run) = lock(&self.inner).runs.get_mut(&run) {
            run.held_by = None;
        }
    }

    /// How many events are recorded, of all runs.
    pub fn recorded(&self) -> usize {
        lock(&self.inner).recorded
    }

    /// The history of `run`, empty where there is none.
    pub fn history(&self, run: RunId) -> Vec<Recorded> {
        lock(&self.inner)
            .runs
            .get(&run)
            .map(|run| run.events.clone())
            .unwrap_or_default()
    }

    fn lease(&self, inner: &mut Inner, run: RunId) -> Result<Lease, StoreError> {
        let number = inner.next_hold;
        inner.next_hold += 1;
        let entry = inner.run(run)?;
        entry.held_by = Some(number);
        let hold = Hold {
            inner: Arc::clone(&self.inner),
            run,
            number,
        };
        Ok(Lease::new(
            run,
            entry.epoch,
            Box::new(hold) as Box<dyn Any + Send + Sync>,
        ))
    }

    fn create_now(&self, first: &Arc<Recorded>) -> Result<Lease, StoreError> {
        let row = check_first(first)?;
        let run = row.run;
        let mut inner = lock(&self.inner);
        inner.alive("create a run")?;
        if let Some(existing) = inner.runs.get(&run) {
            return Err(StoreError::OutOfSequence {
                run,
                seq: first.seq,
                expected: existing.next_seq(),
            });
        }
        let owner = inner.runs.values().find(|other| {
            other.row.owns_cluster && other.row.cluster == row.cluster && other.row.provider == row.provider
        });
        if let Some(owner) = owner {
            return Err(StoreError::ClusterExists {
                cluster: row.cluster,
                run: owner.row.run,
            });
        }
        let entry = Run {
            row,
            epoch: Epoch::FIRST,
            events: vec![Recorded::clone(first)],
            held_by: None,
        };
        inner.runs.insert(run, entry);
        inner.count(1)?;
        self.lease(&mut inner, run)
    }

    fn adopt_now(&self, run: RunId) -> Result<Lease, StoreError> {
        let mut inner = lock(&self.inner);
        let entry = inner.run(run)?;
        if entry.held_by.is_some() {
            return Err(StoreError::Held {
                run,
                holder: Some("another engine of this process".to_owned()),
            });
        }
        inner.alive("adopt a run")?;
        let entry = inner.run(run)?;
        entry.epoch = entry.epoch.next();
        self.lease(&mut inner, run)
    }

    fn append_now(&self, run: RunId, epoch: Epoch, events: &[Arc<Recorded>]) -> Result<(), StoreError> {
        check_batch(run, epoch, events)?;
        let mut inner = lock(&self.inner);
        inner.alive("append")?;
        let entry = inner.run(run)?;
        entry.fence(epoch)?;
        let expected = entry.next_seq();
        if let Some(first) = events.first()
            && first.seq != expected
        {
            return Err(StoreError::OutOfSequence {
                run,
                seq: first.seq,
                expected,
            });
        }
        entry
            .events
            .extend(events.iter().map(|event| Recorded::clone(event)));
        inner.count(events.len())
    }

    fn retire_now(&self, run: RunId, epoch: Epoch) -> Result<(), StoreError> {
        let mut inner = lock(&self.inner);
        inner.alive("retire a run")?;
        let entry = inner.run(run)?;
        entry.fence(epoch)?;
        entry.row.owns_cluster = false;
        Ok(())
    }
}

impl Inner {
    fn run(&mut self, run: RunId) -> Result<&mut Run, StoreError> {
        self.runs.get_mut(&run).ok_or(StoreError::UnknownRun { run })
    }

    /// Whether the limit still allows a write.
    fn alive(&self, doing: &str) -> Result<(), StoreError> {
        match self.limit {
            Some(limit) if self.recorded >= limit.events => Err(failed(doing, limit)),
            _ => Ok(()),
        }
    }

    /// Counts events that were just recorded; fails where their acknowledgement is to get lost.
    fn count(&mut self, events: usize) -> Result<(), StoreError> {
        self.recorded += events;
        match self.limit {
            Some(limit) if !limit.acknowledge_last && self.recorded >= limit.events => {
                Err(failed("acknowledge an append", limit))
            }
            _ => Ok(()),
        }
    }
}

impl Run {
    fn next_seq(&self) -> Seq {
        self.events.last().map_or(Seq::FIRST, |last| last.seq.next())
    }

    fn fence(&self, epoch: Epoch) -> Result<(), StoreError> {
        if epoch == self.epoch {
            return Ok(());
        }
        Err(StoreError::Fenced {
            run: self.row.run,
            epoch,
            newest: self.epoch,
        })
    }
}

fn failed(doing: &str, limit: Limit) -> StoreError {
    StoreError::Unusable {
        doing: format!("cannot {doing} in the store in memory"),
        source: format!("it was told to fail after {} events", limit.events).into(),
    }
}

impl Store for MemoryStore {
    fn create(&self, first: Arc<Recorded>) -> BoxFuture<'_, Result<Lease, StoreError>> {
        Box::pin(async move { self.create_now(&first) })
    }

    fn adopt(&self, run: RunId) -> BoxFuture<'_, Result<Lease, StoreError>> {
        Box::pin(async move { self.adopt_now(run) })
    }

    fn append(
        &self,
        lease: &Lease,
        events: Vec<Arc<Recorded>>,
    ) -> BoxFuture<'static, Result<(), StoreError>> {
        // Now, not on the first poll: the order of the calls is the order of the events.
        let outcome = self.append_now(lease.run(), lease.epoch(), &events);
        Box::pin(std::future::ready(outcome))
    }

    fn load(&self, run: RunId) -> BoxFuture<'_, Result<Vec<Recorded>, StoreError>> {
        Box::pin(async move { Ok(lock(&self.inner).run(run)?.events.clone()) })
    }

    fn runs(&self) -> BoxFuture<'_, Result<Vec<RunRow>, StoreError>> {
        Box::pin(async move {
            let mut rows: Vec<RunRow> = lock(&self.inner)
                .runs
                .values()
                .map(|run| run.row.clone())
                .collect();
            rows.sort_by_key(|row| (row.created_at, row.run));
            Ok(rows)
        })
    }

    fn is_held(&self, run: RunId) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            Ok(lock(&self.inner)
                .runs
                .get(&run)
                .is_some_and(|run| run.held_by.is_some()))
        })
    }

    fn retire(&self, lease: &Lease) -> BoxFuture<'static, Result<(), StoreError>> {
        let outcome = self.retire_now(lease.run(), lease.epoch());
        Box::pin(std::future::ready(outcome))
    }
}

#[cfg(all(test, feature = "contract"))]
mod tests {
    use super::*;
    use crate::contract::{first, next};

    crate::store_contract!(|| {
        let store = MemoryStore::new();
        move || store.clone()
    });

    #[tokio::test]
    async fn fail_after_refuses_the_append_behind_the_limit_and_keeps_nothing_of_it() {
        let store = MemoryStore::new();
        let begin = first("demo");
        let lease = store.create(begin.clone()).await.unwrap();
        store.fail_after(2);
        store.append(&lease, vec![next(&begin, 2)]).await.unwrap();
        let refused = store.append(&lease, vec![next(&begin, 3)]).await;
        assert!(matches!(refused, Err(StoreError::Unusable { .. })), "{refused:?}");
        assert_eq!(store.history(begin.run).len(), 2);
        store.recover();
        store.append(&lease, vec![next(&begin, 3)]).await.unwrap();
    }

    #[tokio::test]
    async fn crash_after_keeps_the_append_that_reaches_the_limit_without_acknowledging_it() {
        let store = MemoryStore::new();
        let begin = first("demo");
        let lease = store.create(begin.clone()).await.unwrap();
        store.crash_after(3);
        let lost = store.append(&lease, vec![next(&begin, 2), next(&begin, 3)]).await;
        assert!(matches!(lost, Err(StoreError::Unusable { .. })), "{lost:?}");
        assert_eq!(store.recorded(), 3);
        assert!(store.append(&lease, vec![next(&begin, 4)]).await.is_err());
        assert_eq!(store.recorded(), 3);
    }

    #[tokio::test]
    async fn a_freed_run_can_be_adopted_and_the_dead_lease_frees_nothing_of_its_successor() {
        let store = MemoryStore::new();
        let begin = first("demo");
        let dead = store.create(begin.clone()).await.unwrap();
        store.free(begin.run);
        let alive = store.adopt(begin.run).await.unwrap();
        assert!(matches!(
            store.append(&dead, vec![next(&begin, 2)]).await,
            Err(StoreError::Fenced { newest: Epoch(2), .. })
        ));
        drop(dead);
        assert!(store.is_held(begin.run).await.unwrap());
        drop(alive);
        assert!(!store.is_held(begin.run).await.unwrap());
    }
}
