//! A store that remembers the batches of its appends, and can be as slow as a disk.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mesosflow_workflow::{
    BoxFuture, ClusterId, Epoch, Lease, MemoryStore, Recorded, RunId, RunRow, Salvaged, Seq, Snapshot, Store,
    StoreError,
};
use tokio::sync::{mpsc, oneshot};

struct Write {
    run: RunId,
    cluster: ClusterId,
    epoch: Epoch,
    events: Vec<Arc<Recorded>>,
    acknowledge: oneshot::Sender<Result<(), StoreError>>,
}

/// Clones are handles on one store.
#[derive(Clone, Default)]
pub(crate) struct Spy {
    memory: MemoryStore,
    batches: Arc<Mutex<Vec<Vec<Arc<Recorded>>>>>,
    writer: Option<mpsc::UnboundedSender<Write>>,
}

impl Spy {
    /// A store with one writer, as the journal has it, which takes this long for each append. An event is in the
    /// history at the end of that time, whether somebody still waits for it or not.
    pub(crate) fn slow(each: Duration) -> Self {
        let mut spy = Self::default();
        let (sender, mut writes) = mpsc::unbounded_channel::<Write>();
        let memory = spy.memory.clone();
        tokio::spawn(async move {
            while let Some(Write {
                run,
                cluster,
                epoch,
                events,
                acknowledge,
            }) = writes.recv().await
            {
                tokio::time::sleep(each).await;
                let lease = Lease::new(run, cluster, epoch, Box::new(()));
                let _gone = acknowledge.send(memory.append(&lease, events).await);
            }
        });
        spy.writer = Some(sender);
        spy
    }

    pub(crate) fn memory(&self) -> &MemoryStore {
        &self.memory
    }

    pub(crate) fn history(&self, run: RunId) -> Vec<Recorded> {
        self.memory.history(run)
    }

    /// The appends so far, each with its events.
    pub(crate) fn batches(&self) -> Vec<Vec<Arc<Recorded>>> {
        self.batches.lock().unwrap().clone()
    }
}

impl Store for Spy {
    fn id(&self) -> &str {
        self.memory.id()
    }

    fn create(&self, first: Arc<Recorded>) -> BoxFuture<'_, Result<Lease, StoreError>> {
        self.memory.create(first)
    }

    fn adopt(&self, run: RunId, above: Epoch) -> BoxFuture<'_, Result<Lease, StoreError>> {
        self.memory.adopt(run, above)
    }

    fn append(
        &self,
        lease: &Lease,
        events: Vec<Arc<Recorded>>,
    ) -> BoxFuture<'static, Result<(), StoreError>> {
        self.batches.lock().unwrap().push(events.clone());
        let Some(writer) = &self.writer else {
            return self.memory.append(lease, events);
        };
        let (acknowledge, acknowledged) = oneshot::channel();
        writer
            .send(Write {
                run: lease.run(),
                cluster: lease.cluster(),
                epoch: lease.epoch(),
                events,
                acknowledge,
            })
            .ok()
            .unwrap();
        Box::pin(async move { acknowledged.await.unwrap() })
    }

    fn read(&self, run: RunId, after: Seq, limit: usize) -> BoxFuture<'_, Result<Vec<Recorded>, StoreError>> {
        self.memory.read(run, after, limit)
    }

    fn salvage(&self, run: RunId) -> BoxFuture<'_, Result<Salvaged, StoreError>> {
        self.memory.salvage(run)
    }

    fn keep(&self, lease: &Lease, snapshot: Snapshot) -> BoxFuture<'static, Result<(), StoreError>> {
        self.memory.keep(lease, snapshot)
    }

    fn snapshot(&self, run: RunId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        self.memory.snapshot(run)
    }

    fn load(&self, run: RunId) -> BoxFuture<'_, Result<Vec<Recorded>, StoreError>> {
        self.memory.load(run)
    }

    fn runs(&self) -> BoxFuture<'_, Result<Vec<RunRow>, StoreError>> {
        self.memory.runs()
    }

    fn is_held(&self, run: RunId) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.memory.is_held(run)
    }

    fn retire(&self, lease: &Lease) -> BoxFuture<'static, Result<(), StoreError>> {
        self.memory.retire(lease)
    }
}
