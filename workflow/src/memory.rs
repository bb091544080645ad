//! A store in memory, for tests: the guarantees of the journal without its disk, and failures on demand.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::BoxFuture;
use crate::event::{Event, Recorded};
use crate::ids::{ClusterId, Epoch, RunId, Seq};
use crate::store::{
    Lease, RunRow, Salvaged, Snapshot, Store, StoreError, check_batch, check_first, ends_cluster,
};
use crate::summary::PhaseKind;

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
    clusters: BTreeMap<ClusterId, Cluster>,
    runs: BTreeMap<RunId, Run>,
    recorded: usize,
    limit: Option<Limit>,
    next_hold: u64,
}

#[derive(Debug)]
struct Cluster {
    name: String,
    provider: String,
    epoch: Epoch,
    is_gone: bool,
    /// The living lease, by a number of its own: a freed one must not release its successor's when it is dropped.
    held_by: Option<u64>,
}

#[derive(Debug)]
struct Run {
    row: RunRow,
    events: Vec<Recorded>,
    snapshot: Option<Snapshot>,
}

#[derive(Debug, Clone, Copy)]
struct Limit {
    events: usize,
    acknowledge_last: bool,
}

/// What a lease holds.
struct Hold {
    inner: Arc<Mutex<Inner>>,
    cluster: ClusterId,
    number: u64,
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(cluster) = lock(&self.inner).clusters.get_mut(&self.cluster)
            && cluster.held_by == Some(self.number)
        {
            cluster.held_by = None;
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
        let mut inner = lock(&self.inner);
        if let Ok(cluster) = inner.cluster_of(run) {
            cluster.held_by = None;
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

    fn lease(&self, inner: &mut Inner, run: RunId, above: Epoch) -> Result<Lease, StoreError> {
        let number = inner.next_hold;
        inner.next_hold += 1;
        let id = inner.run(run)?.row.cluster_id;
        let cluster = inner.cluster_of(run)?;
        cluster.held_by = Some(number);
        cluster.epoch = cluster.epoch.max(above).next();
        let hold = Hold {
            inner: Arc::clone(&self.inner),
            cluster: id,
            number,
        };
        let epoch = cluster.epoch;
        Ok(Lease::new(
            run,
            id,
            epoch,
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
        let id = row.cluster_id;
        let is_new = !inner.clusters.contains_key(&id);
        let rival = inner.clusters.iter().find(|(other, cluster)| {
            is_new
                && **other != id
                && !cluster.is_gone
                && cluster.name == row.cluster
                && cluster.provider == row.provider
        });
        if let Some((rival, _)) = rival {
            let owner = inner.runs.values().find(|other| other.row.cluster_id == *rival);
            return Err(StoreError::ClusterExists {
                cluster: row.cluster,
                run: owner.map_or(run, |owner| owner.row.run),
            });
        }
        let driven = inner.driven(id).unwrap_or(run);
        let cluster = inner.clusters.entry(id).or_insert_with(|| Cluster {
            name: row.cluster.clone(),
            provider: row.provider.clone(),
            epoch: Epoch(0),
            is_gone: false,
            held_by: None,
        });
        cluster.refuse_held(driven)?;
        let epoch = cluster.epoch.next();
        inner.refuse_unfinished(id, run)?;
        let mut recorded = Recorded::clone(first);
        recorded.epoch = epoch;
        let entry = Run {
            row,
            events: vec![recorded],
            snapshot: None,
        };
        inner.runs.insert(run, entry);
        inner.count(1)?;
        self.lease(&mut inner, run, Epoch(0))
    }

    fn adopt_now(&self, run: RunId, above: Epoch) -> Result<Lease, StoreError> {
        let mut inner = lock(&self.inner);
        let id = inner.run(run)?.row.cluster_id;
        let driven = inner.driven(id).unwrap_or(run);
        inner.cluster_of(run)?.refuse_held(driven)?;
        inner.refuse_unfinished(id, run)?;
        inner.alive("adopt a run")?;
        self.lease(&mut inner, run, above)
    }

    fn append_now(&self, run: RunId, epoch: Epoch, events: &[Arc<Recorded>]) -> Result<(), StoreError> {
        check_batch(run, epoch, events)?;
        let mut inner = lock(&self.inner);
        inner.alive("append")?;
        inner.cluster_of(run)?.fence(run, epoch)?;
        let entry = inner.run(run)?;
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
        let mut is_gone = false;
        for event in events {
            entry.row.summary.apply(event);
            entry.events.push(Recorded::clone(event));
            is_gone |= matches!(event.event, Event::RunSucceeded) && ends_cluster(&entry.row.workflow);
        }
        if is_gone {
            inner.cluster_of(run)?.is_gone = true;
        }
        inner.count(events.len())
    }

    fn keep_now(&self, run: RunId, epoch: Epoch, snapshot: Snapshot) -> Result<(), StoreError> {
        let mut inner = lock(&self.inner);
        inner.alive("keep a snapshot")?;
        inner.cluster_of(run)?.fence(run, epoch)?;
        inner.run(run)?.snapshot = Some(snapshot);
        Ok(())
    }

    fn retire_now(&self, run: RunId, epoch: Epoch) -> Result<(), StoreError> {
        let mut inner = lock(&self.inner);
        inner.alive("retire a run")?;
        let cluster = inner.cluster_of(run)?;
        cluster.fence(run, epoch)?;
        cluster.is_gone = true;
        Ok(())
    }
}

impl Inner {
    fn run(&mut self, run: RunId) -> Result<&mut Run, StoreError> {
        self.runs.get_mut(&run).ok_or(StoreError::UnknownRun { run })
    }

    fn cluster_of(&mut self, run: RunId) -> Result<&mut Cluster, StoreError> {
        let id = self.run(run)?.row.cluster_id;
        self.clusters.get_mut(&id).ok_or(StoreError::UnknownRun { run })
    }

    /// The run of the cluster that is begun and not ended.
    fn driven(&self, cluster: ClusterId) -> Option<RunId> {
        let mut rows = self.runs.values().map(|run| &run.row);
        let is_driven = |row: &&RunRow| {
            let summary = &row.summary;
            row.cluster_id == cluster && summary.phase == PhaseKind::Running && summary.is_unfinished()
        };
        rows.find(is_driven).map(|row| row.run)
    }

    /// Refuses where another run of the cluster has not come to an end.
    fn refuse_unfinished(&self, cluster: ClusterId, run: RunId) -> Result<(), StoreError> {
        let rows = self.runs.values().map(|run| &run.row);
        let mut unfinished =
            rows.filter(|row| row.cluster_id == cluster && row.run != run && row.summary.is_unfinished());
        match unfinished.next() {
            None => Ok(()),
            Some(row) => Err(StoreError::Unfinished {
                cluster: row.cluster.clone(),
                run: row.run,
                workflow: row.workflow.clone(),
            }),
        }
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
}

impl Cluster {
    fn refuse_held(&self, run: RunId) -> Result<(), StoreError> {
        if self.held_by.is_none() {
            return Ok(());
        }
        Err(StoreError::Held {
            run,
            holder: Some("another engine of this process".to_owned()),
        })
    }

    fn fence(&self, run: RunId, epoch: Epoch) -> Result<(), StoreError> {
        if epoch == self.epoch {
            return Ok(());
        }
        Err(StoreError::Fenced {
            run,
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
    fn id(&self) -> &str {
        "memory"
    }

    fn create(&self, first: Arc<Recorded>) -> BoxFuture<'_, Result<Lease, StoreError>> {
        Box::pin(async move { self.create_now(&first) })
    }

    fn adopt(&self, run: RunId, above: Epoch) -> BoxFuture<'_, Result<Lease, StoreError>> {
        Box::pin(async move { self.adopt_now(run, above) })
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

    fn read(&self, run: RunId, after: Seq, limit: usize) -> BoxFuture<'_, Result<Vec<Recorded>, StoreError>> {
        Box::pin(async move {
            let mut inner = lock(&self.inner);
            let events = inner.run(run)?.events.iter();
            Ok(events
                .filter(|event| event.seq > after)
                .take(limit)
                .cloned()
                .collect())
        })
    }

    fn load(&self, run: RunId) -> BoxFuture<'_, Result<Vec<Recorded>, StoreError>> {
        Box::pin(async move { Ok(lock(&self.inner).run(run)?.events.clone()) })
    }

    fn salvage(&self, run: RunId) -> BoxFuture<'_, Result<Salvaged, StoreError>> {
        Box::pin(async move {
            Ok(Salvaged {
                events: lock(&self.inner).run(run)?.events.clone(),
                later: Vec::new(),
                damage: None,
            })
        })
    }

    fn keep(&self, lease: &Lease, snapshot: Snapshot) -> BoxFuture<'static, Result<(), StoreError>> {
        let outcome = self.keep_now(lease.run(), lease.epoch(), snapshot);
        Box::pin(std::future::ready(outcome))
    }

    fn snapshot(&self, run: RunId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        Box::pin(async move { Ok(lock(&self.inner).run(run)?.snapshot.clone()) })
    }

    fn runs(&self) -> BoxFuture<'_, Result<Vec<RunRow>, StoreError>> {
        Box::pin(async move {
            let inner = lock(&self.inner);
            let mut rows: Vec<RunRow> = inner.runs.values().map(|run| run.row.clone()).collect();
            for row in &mut rows {
                row.owns_cluster = inner
                    .clusters
                    .get(&row.cluster_id)
                    .is_some_and(|cluster| !cluster.is_gone);
            }
            rows.sort_by_key(|row| (row.created_at, row.run));
            Ok(rows)
        })
    }

    fn is_held(&self, run: RunId) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            let mut inner = lock(&self.inner);
            Ok(inner
                .cluster_of(run)
                .is_ok_and(|cluster| cluster.held_by.is_some()))
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
        let alive = store.adopt(begin.run, Epoch(0)).await.unwrap();
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
