//! The lock on a cluster: held by one process that drives a run of it, and gone with that process however it ends.
//!
//! It is a lock on the journal's file itself ([`crate::range`]), so every name of the file leads to it, and no other file
//! has to be beside the journal. The descriptor that has it is closed on exec: a child keeps it for no longer than
//! the instant between its fork and its exec, which [`holder::settled`] waits for where the process itself is gone.

use std::io;

use mesosflow_workflow::{ClusterId, RunId, StoreError};

use crate::error::unusable;
use crate::holder;
use crate::identity::Anchor;
use crate::range::{self, Kind, Slot};

/// How often an adoption asks again whose lock refuses it, where that is gone whenever it asks.
const ATTEMPTS: u32 = 100;

/// The locks of one journal.
#[derive(Debug, Clone)]
pub(crate) struct Locks {
    anchor: Anchor,
}

/// The lock on a cluster, until it is dropped.
#[derive(Debug)]
pub(crate) struct RunLock {
    anchor: Anchor,
    slot: Slot,
}

impl Drop for RunLock {
    fn drop(&mut self) {
        let mut held = self.anchor.held();
        if let Err(error) = range::free(self.anchor.file(), self.slot) {
            tracing::debug!(journal = %self.anchor.path().display(), %error, "a lock is freed by the end of its process");
        }
        held.remove(&self.slot);
    }
}

impl Locks {
    /// The locks of an open journal.
    pub(crate) fn of(anchor: &Anchor) -> Self {
        Self {
            anchor: anchor.clone(),
        }
    }

    /// Locks `cluster` for this process, which wants to drive `run`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`] at once where a driver holds it, in this process or another.
    pub(crate) fn acquire(&self, cluster: ClusterId, run: RunId) -> Result<RunLock, StoreError> {
        let fail = |error: io::Error| unusable("lock a cluster in", self.anchor.path(), error);
        let slot = slot(cluster);
        // The kernel sees one process: within it, this set tells its journals apart.
        let mut held = self.anchor.held();
        if held.contains(&slot) {
            return Err(self.refusal(run, Some(std::process::id())));
        }
        for _ in 0..ATTEMPTS {
            if range::take(self.anchor.file(), slot, Kind::Exclusive).map_err(fail)? {
                held.insert(slot);
                return Ok(RunLock {
                    anchor: self.anchor.clone(),
                    slot,
                });
            }
            if let Some(pid) = self.holder(slot).map_err(fail)? {
                return Err(self.refusal(run, Some(pid)));
            }
        }
        Err(self.refusal(run, None))
    }

    /// Whether a driver holds `cluster`, in this process or another. Asking takes no lock.
    pub(crate) fn is_held(&self, cluster: ClusterId) -> Result<bool, StoreError> {
        let slot = slot(cluster);
        if self.anchor.held().contains(&slot) {
            return Ok(true);
        }
        self.holder(slot)
            .map(|pid| pid.is_some())
            .map_err(|error| unusable("read the locks of", self.anchor.path(), error))
    }

    /// Runs `act` while nobody else sets this journal up.
    pub(crate) fn alone<T>(&self, act: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let fail = |error: io::Error| unusable("lock", self.anchor.path(), error);
        let _threads = self.anchor.set_up();
        range::wait_to_set_up(self.anchor.file()).map_err(fail)?;
        let outcome = act();
        range::free_set_up(self.anchor.file()).map_err(fail)?;
        outcome
    }

    /// The other process that holds `slot`.
    fn holder(&self, slot: Slot) -> io::Result<Option<u32>> {
        holder::settled(self.anchor.id(), || range::holder(self.anchor.file(), slot))
    }

    fn refusal(&self, run: RunId, pid: Option<u32>) -> StoreError {
        StoreError::Held {
            run,
            holder: pid.map(|pid| holder::describe(pid, self.anchor.id())),
        }
    }
}

fn slot(cluster: ClusterId) -> Slot {
    Slot::lease(&cluster.as_u128().to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Options;

    fn locks() -> (tempfile::TempDir, Locks) {
        let folder = tempfile::tempdir().unwrap();
        let anchor = Anchor::create(&folder.path().join("journal.sqlite"), Options::default()).unwrap();
        (folder, Locks::of(&anchor))
    }

    #[test]
    fn a_held_cluster_names_its_holder_and_is_free_once_dropped() {
        let (_folder, locks) = locks();
        let (cluster, run) = (ClusterId::generate(), RunId::generate());
        assert!(!locks.is_held(cluster).unwrap());
        let lock = locks.acquire(cluster, run).unwrap();
        assert!(locks.is_held(cluster).unwrap());
        match locks.acquire(cluster, run) {
            Err(StoreError::Held {
                run: held,
                holder: Some(holder),
            }) => {
                assert_eq!(held, run);
                let own = format!("pid {} on ", std::process::id());
                assert!(holder.starts_with(&own), "{holder}");
            }
            other => panic!("{other:?}"),
        }
        let other = locks.acquire(ClusterId::generate(), run).unwrap();
        drop(lock);
        assert!(!locks.is_held(cluster).unwrap());
        locks.acquire(cluster, run).unwrap();
        drop(other);
    }

    #[test]
    fn of_many_threads_that_set_up_one_is_at_it_at_a_time() {
        let (_folder, locks) = locks();
        let at_it = std::sync::Mutex::new(());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let alone = locks.alone(|| Ok(at_it.try_lock().is_ok()));
                        assert!(alone.unwrap());
                    }
                });
            }
        });
    }
}
