//! Where histories live: the contract that the SQLite journal and the in-memory store both keep.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::clock::BoxFuture;
use crate::event::{EVENT_FORMAT, Event, Recorded};
use crate::ids::{ClusterId, Epoch, RunId, Seq};
use crate::summary::RunSummary;

/// The right to write to one run's history: an epoch of its cluster, and a guard that frees the cluster when it is dropped
/// (an OS lock that dies with the process, in the journal).
pub struct Lease {
    run: RunId,
    cluster: ClusterId,
    epoch: Epoch,
    _guard: Box<dyn Any + Send + Sync>,
}

impl Lease {
    /// A lease on `run` of `cluster` in `epoch` which holds `guard` for as long as it lives. Stores make it, and rehearsals, which need none.
    pub fn new(run: RunId, cluster: ClusterId, epoch: Epoch, guard: Box<dyn Any + Send + Sync>) -> Self {
        Self {
            run,
            cluster,
            epoch,
            _guard: guard,
        }
    }

    /// The run.
    pub const fn run(&self) -> RunId {
        self.run
    }

    /// The run's cluster.
    pub const fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// The epoch of the cluster under which this lease may append.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease")
            .field("run", &self.run)
            .field("cluster", &self.cluster)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

/// A run as the store lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// The run.
    pub run: RunId,
    /// The workflow it is a run of.
    pub workflow: String,
    /// Its cluster's name.
    pub cluster: String,
    /// Its cluster.
    pub cluster_id: ClusterId,
    /// Its provider's name.
    pub provider: String,
    /// The event format in which it began.
    pub format: u16,
    /// When it was created, UTC.
    pub created_at: Timestamp,
    /// Whether its cluster still has its name: from its creation until [`Store::retire`].
    pub owns_cluster: bool,
    /// What its last events say.
    pub summary: RunSummary,
}

/// A run's state as it was after one of its events, kept so that a long history need not be folded from its beginning. It
/// is a convenience: the history says the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The last event that it has taken into account.
    pub seq: Seq,
    /// The form of `state`; another one than [`crate::state::SNAPSHOT_FORMAT`] is of no use to this build.
    pub format: u32,
    /// The state, in a form that only the engine reads.
    pub state: Vec<u8>,
}

/// What can be read of a damaged history.
#[derive(Debug, Clone, PartialEq)]
pub struct Salvaged {
    /// The events from the first to the last one before the damage.
    pub events: Vec<Recorded>,
    /// Those behind the first damage that are whole, in order, with gaps where others are not.
    pub later: Vec<Recorded>,
    /// What is damaged, and where; none where nothing is.
    pub damage: Option<String>,
}

/// What is said of a holder that is a stopped process, before how it can go on or be ended.
pub const STOPPED: &str = "which is stopped:";

/// Why a store refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such run.
    #[error("no run `{run}` in the journal")]
    UnknownRun {
        /// The run asked for.
        run: RunId,
    },
    /// The run is driven by a living process.
    #[error("run `{run}` is held by another process{}", .holder.as_ref().map(|h| format!(" ({h})")).unwrap_or_default())]
    Held {
        /// The run that it drives, where one is begun and not ended; otherwise the one that was asked for.
        run: RunId,
        /// Who holds it, as far as is known (`pid 4242 on host`; of one that gives nothing up by itself, with [`STOPPED`]).
        holder: Option<String>,
    },
    /// Another run owns the cluster's name.
    #[error("cluster `{cluster}` exists already: it belongs to run `{run}`")]
    ClusterExists {
        /// The name.
        cluster: String,
        /// The run that owns it.
        run: RunId,
    },
    /// Another run of the cluster has not come to an end.
    #[error("cluster `{cluster}` has an unfinished run, `{run}` of workflow `{workflow}`")]
    Unfinished {
        /// The cluster's name.
        cluster: String,
        /// That run.
        run: RunId,
        /// What it is a run of.
        workflow: String,
    },
    /// The lease is not the newest: another process took the cluster over since.
    #[error(
        "the cluster of run `{run}` was taken over by another process (epoch {newest}, this one has {epoch})"
    )]
    Fenced {
        /// The run.
        run: RunId,
        /// The epoch of the append.
        epoch: Epoch,
        /// The epoch of the journal.
        newest: Epoch,
    },
    /// The sequence number exists, or leaves a gap.
    #[error("event {seq} of run `{run}` is out of sequence: the next one is {expected}")]
    OutOfSequence {
        /// The run.
        run: RunId,
        /// The number that was appended.
        seq: Seq,
        /// The number that comes next.
        expected: Seq,
    },
    /// The journal was written by a newer program.
    #[error("the journal is in format {found}; this program reads up to {supported}")]
    NewerFormat {
        /// Its format.
        found: u64,
        /// The newest that this program knows.
        supported: u64,
    },
    /// The journal is damaged in its structure.
    #[error("the journal is damaged: {0}")]
    Corrupt(String),
    /// One run's history is damaged; the others are not.
    #[error("the history of run `{run}` is damaged: {what}")]
    DamagedRun {
        /// The run.
        run: RunId,
        /// What is wrong, and where.
        what: String,
    },
    /// The journal must not be used where it is, or is no longer the file that was opened: it was deleted, moved or replaced
    /// in use, is in use under another path, or on a network file system.
    #[error("the journal `{}` {what}", .path.display())]
    Misplaced {
        /// Where it was opened.
        path: PathBuf,
        /// What is wrong, to be read behind the path (`was deleted while it was in use`).
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// The journal cannot be read or written (full disk, permissions, not a database).
    #[error("{doing}")]
    Unusable {
        /// What was being done to what.
        doing: String,
        /// What came back.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Durable histories of runs.
///
/// What every store guarantees (the suite in [`crate::contract`] checks it):
/// - an append is acknowledged only once it is durable, all of it or nothing;
/// - the events of a run are numbered from 1 without gaps, an existing number is never overwritten;
/// - each cluster has one counter of epochs, raised in the transaction that creates or adopts any run of it; only the lease
///   with the newest epoch can append, and there is at most one living lease a cluster;
/// - appends take effect in the order of the calls.
pub trait Store: Send + Sync + 'static {
    /// What tells these histories from those of other stores; a copy of them has the same.
    fn id(&self) -> &str;

    /// Creates a run with its first event, which must be a `RunStarted` with sequence number 1, and leases it. The event is
    /// recorded under the next epoch of its cluster, whatever it says; the lease tells it. The cluster is made with its first
    /// run. Refused with [`StoreError::ClusterExists`] where it would be a new one and another cluster of the same provider has
    /// the name, with [`StoreError::Held`] while a lease on a run of the same cluster lives, and with [`StoreError::Unfinished`]
    /// where another run of it has not come to an end.
    fn create(&self, first: Arc<Recorded>) -> BoxFuture<'_, Result<Lease, StoreError>>;

    /// Leases an existing run under a new epoch of its cluster, higher than `above` too (`Epoch(0)` where nothing is known
    /// of one that this store does not have); refused at once with [`StoreError::Held`] while a lease lives, and with
    /// [`StoreError::Unfinished`] where another run of the cluster has not come to an end.
    fn adopt(&self, run: RunId, above: Epoch) -> BoxFuture<'_, Result<Lease, StoreError>>;

    /// Leases a run that is only to be taken down, whatever is damaged of what the store lists of it: that is set right first,
    /// as far as the rest tells. In all else as [`adopt`](Self::adopt).
    fn adopt_damaged(&self, run: RunId, above: Epoch) -> BoxFuture<'_, Result<Lease, StoreError>> {
        self.adopt(run, above)
    }

    /// Appends events in one transaction. The order is fixed by the call, not by the first poll of the future. With the success
    /// of a run that [ends its cluster](ends_cluster), the cluster's name is given back.
    fn append(&self, lease: &Lease, events: Vec<Arc<Recorded>>)
    -> BoxFuture<'static, Result<(), StoreError>>;

    /// At most `limit` events of a run's history that come after number `after`, in order; from the beginning after `Seq(0)`.
    fn read(&self, run: RunId, after: Seq, limit: usize) -> BoxFuture<'_, Result<Vec<Recorded>, StoreError>>;

    /// The whole history of a run, in order.
    fn load(&self, run: RunId) -> BoxFuture<'_, Result<Vec<Recorded>, StoreError>>;

    /// What can be read of a run's history, be it damaged.
    fn salvage(&self, run: RunId) -> BoxFuture<'_, Result<Salvaged, StoreError>>;

    /// Keeps a snapshot of a run, in place of an older one. It may be lost without harm.
    fn keep(&self, lease: &Lease, snapshot: Snapshot) -> BoxFuture<'static, Result<(), StoreError>>;

    /// The newest snapshot of a run that is whole, if there is one.
    fn snapshot(&self, run: RunId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>>;

    /// Every run, oldest first.
    fn runs(&self) -> BoxFuture<'_, Result<Vec<RunRow>, StoreError>>;

    /// Whether a living lease holds the run's cluster.
    fn is_held(&self, run: RunId) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Gives the cluster's name back: what its runs created is gone. Repeating it is fine.
    fn retire(&self, lease: &Lease) -> BoxFuture<'static, Result<(), StoreError>>;
}

/// Whether nothing is left of a cluster once a run of that workflow has succeeded: its name is free from that very event on.
pub fn ends_cluster(workflow: &str) -> bool {
    workflow == "destroy"
}

/// Checks what a store can know of a batch without its history: every event belongs to `run`, carries `epoch`, is in a
/// format that this build knows, and follows the one before it.
///
/// # Errors
///
/// [`StoreError::Unusable`] for another run's event, [`StoreError::Fenced`] for another epoch's,
/// [`StoreError::NewerFormat`], and [`StoreError::OutOfSequence`] where the batch has a gap in itself.
pub fn check_batch(run: RunId, epoch: Epoch, events: &[Arc<Recorded>]) -> Result<(), StoreError> {
    let mut expected: Option<Seq> = None;
    for event in events {
        if event.run != run {
            return Err(StoreError::Unusable {
                doing: format!("cannot append event {} to run `{run}`", event.seq),
                source: format!("it belongs to run `{}`", event.run).into(),
            });
        }
        if event.epoch != epoch {
            return Err(StoreError::Fenced {
                run,
                epoch: event.epoch,
                newest: epoch,
            });
        }
        if event.format > EVENT_FORMAT {
            return Err(StoreError::NewerFormat {
                found: event.format.into(),
                supported: EVENT_FORMAT.into(),
            });
        }
        if let Some(expected) = expected
            && event.seq != expected
        {
            return Err(StoreError::OutOfSequence {
                run,
                seq: event.seq,
                expected,
            });
        }
        expected = Some(event.seq.next());
    }
    Ok(())
}

/// What a store lists of the run that begins with `first`.
///
/// # Errors
///
/// [`StoreError::OutOfSequence`] where its number is not 1; [`StoreError::Unusable`] where it is no
/// [`Event::RunStarted`]; and what [`check_batch`] refuses.
pub fn check_first(first: &Arc<Recorded>) -> Result<RunRow, StoreError> {
    check_batch(first.run, first.epoch, std::slice::from_ref(first))?;
    if first.seq != Seq::FIRST {
        return Err(StoreError::OutOfSequence {
            run: first.run,
            seq: first.seq,
            expected: Seq::FIRST,
        });
    }
    let Event::RunStarted {
        workflow,
        cluster,
        cluster_id,
        provider,
        ..
    } = &first.event
    else {
        return Err(StoreError::Unusable {
            doing: format!("cannot create run `{}`", first.run),
            source: format!(
                "its history would begin with `{}`, not `run_started`",
                first.event.kind()
            )
            .into(),
        });
    };
    Ok(RunRow {
        run: first.run,
        workflow: workflow.clone(),
        cluster: cluster.clone(),
        cluster_id: cluster_id.unwrap_or(ClusterId::of_run(first.run)),
        provider: provider.clone(),
        format: first.format,
        created_at: first.at,
        owns_cluster: true,
        summary: RunSummary::begin(first),
    })
}
