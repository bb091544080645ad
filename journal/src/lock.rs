//! The lock on a cluster: held by one process, and gone with it however it ends.
//!
//! Each cluster has a file in `<journal>.locks/`. Its lock is the operating system's (`flock`), so a killed process frees
//! its clusters at once and a file that stays behind means nothing. The file's content names the holder, for messages.
//!
//! Asking whether a cluster is held takes a *shared* lock for an instant, driving it takes an *exclusive* one. So an
//! adoption that meets a lock can tell a driver from someone who only asks: a shared lock is refused by the first and
//! granted beside the second, and only then is it worth another try.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mesosflow_workflow::{ClusterId, RunId, StoreError};

use crate::error::unusable;
use crate::files::{beside, create_folder, open_or_create};

/// How long an adoption tries to get past those who only ask whether the run is held.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long it waits between two tries.
const PAUSE: Duration = Duration::from_millis(2);

/// The locks of one journal.
#[derive(Debug, Clone)]
pub(crate) struct Locks {
    journal: PathBuf,
    folder: PathBuf,
}

/// An exclusive lock on a cluster, until it is dropped.
#[derive(Debug)]
pub(crate) struct RunLock {
    file: File,
    path: PathBuf,
    is_new: bool,
}

impl RunLock {
    /// Frees the lock of a cluster that did not come to exist, and removes its file if it is new.
    pub(crate) fn discard(self) {
        if self.is_new
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::debug!(file = %self.path.display(), %error, "a lock file stays behind");
        }
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // Closing would free it too, but for a child that is just being started and has the file open still.
        if let Err(error) = self.file.unlock() {
            tracing::debug!(file = %self.path.display(), %error, "a lock is freed by closing its file");
        }
    }
}

impl Locks {
    /// The locks of the journal at `journal`, a path without symbolic links.
    pub(crate) fn of(journal: &Path) -> Self {
        Self {
            journal: journal.to_owned(),
            folder: beside(journal, ".locks"),
        }
    }

    /// Locks `cluster` for this process, which drives `run` of it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`] at once where a driver holds it.
    pub(crate) fn acquire(&self, cluster: ClusterId, run: RunId) -> Result<RunLock, StoreError> {
        let fail = |error: io::Error| unusable("lock a run of", &self.journal, error);
        create_folder(&self.folder).map_err(fail)?;
        let path = self.path(cluster);
        let is_new = !path.exists();
        let mut file = open_or_create(&path).map_err(fail)?;
        let started = Instant::now();
        while !exclusive(&file).map_err(fail)? {
            if !shared(&file).map_err(fail)? || started.elapsed() > PATIENCE {
                return Err(StoreError::Held {
                    run,
                    holder: holder(&mut file),
                });
            }
            file.unlock().map_err(fail)?;
            std::thread::sleep(PAUSE);
        }
        if let Err(error) = sign(&mut file) {
            tracing::debug!(file = %path.display(), %error, "the lock does not name its holder");
        }
        Ok(RunLock { file, path, is_new })
    }

    /// Whether a driver holds `cluster`, in this process or another.
    pub(crate) fn is_held(&self, cluster: ClusterId) -> Result<bool, StoreError> {
        let fail = |error: io::Error| unusable("read the locks of", &self.journal, error);
        let file = match File::open(self.path(cluster)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(fail(error)),
        };
        let granted = shared(&file).map_err(fail)?;
        if granted {
            file.unlock().map_err(fail)?;
        }
        Ok(!granted)
    }

    /// Runs `act` while no other process sets this journal up.
    pub(crate) fn alone<T>(&self, act: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let fail = |error: io::Error| unusable("lock", &self.journal, error);
        create_folder(&self.folder).map_err(fail)?;
        let file = open_or_create(&self.folder.join("setup.lock")).map_err(fail)?;
        file.lock().map_err(fail)?;
        act()
    }

    fn path(&self, cluster: ClusterId) -> PathBuf {
        self.folder.join(format!("{cluster}.lock"))
    }
}

fn exclusive(file: &File) -> io::Result<bool> {
    granted(file.try_lock())
}

fn shared(file: &File) -> io::Result<bool> {
    granted(file.try_lock_shared())
}

fn granted(outcome: Result<(), TryLockError>) -> io::Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "pid {} on {}", std::process::id(), host())
}

fn holder(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(256).read_to_string(&mut text).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"))
        .map(|name| name.trim().to_owned())
        .unwrap_or_else(|_| "this machine".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_run_names_its_holder_and_is_free_once_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let locks = Locks::of(&folder.path().join("journal.sqlite"));
        let (cluster, run) = (ClusterId::generate(), RunId::generate());
        assert!(!locks.is_held(cluster).unwrap());
        let lock = locks.acquire(cluster, run).unwrap();
        assert!(locks.is_held(cluster).unwrap());
        match locks.acquire(cluster, run) {
            Err(StoreError::Held {
                holder: Some(holder), ..
            }) => {
                assert!(
                    holder.starts_with(&format!("pid {} on ", std::process::id())),
                    "{holder}"
                );
            }
            other => panic!("{other:?}"),
        }
        drop(lock);
        assert!(!locks.is_held(cluster).unwrap());
        locks.acquire(cluster, run).unwrap();
    }

    #[test]
    fn asking_all_the_time_does_not_make_an_adoption_fail() {
        let folder = tempfile::tempdir().unwrap();
        let locks = Locks::of(&folder.path().join("journal.sqlite"));
        let (cluster, run) = (ClusterId::generate(), RunId::generate());
        drop(locks.acquire(cluster, run).unwrap());
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        locks.is_held(cluster).unwrap();
                    }
                });
            }
            let outcomes: Vec<_> = (0..200).map(|_| locks.acquire(cluster, run).map(drop)).collect();
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(outcomes.iter().all(Result::is_ok));
        });
    }

    #[test]
    fn the_lock_of_a_run_that_never_came_to_be_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let locks = Locks::of(&folder.path().join("journal.sqlite"));
        let (cluster, run) = (ClusterId::generate(), RunId::generate());
        locks.acquire(cluster, run).unwrap().discard();
        assert!(!locks.path(cluster).exists());
    }
}
