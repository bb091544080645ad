//! Why a journal may not be opened where it is, and what its user can do about it.

use std::path::Path;

use mesosflow_workflow::StoreError;

use crate::holder;
use crate::inode::FileId;

/// It is open under another path, by process `pid`.
pub(crate) fn second_path(path: &Path, pid: u32, id: FileId) -> StoreError {
    StoreError::Misplaced {
        path: path.to_owned(),
        what: format!(
            "is in use under another path, by {}",
            holder::describe(pid, id)
        ),
        remedy: "use the path under which it was opened first; where it was moved, move it back, with the files beside \
                 it (`-wal`, `-shm`)"
            .to_owned(),
    }
}

/// It has several names.
pub(crate) fn several_names(path: &Path, names: u64) -> StoreError {
    StoreError::Misplaced {
        path: path.to_owned(),
        what: format!("has {names} names (hard links), and each would have a log of its own"),
        remedy: format!(
            "remove the others, or make copies of them: `find / -xdev -samefile {}` shows them",
            path.display()
        ),
    }
}

/// It lies on `network`.
pub(crate) fn on_network(path: &Path, network: &str) -> StoreError {
    StoreError::Misplaced {
        path: path.to_owned(),
        what: format!(
            "is on a network file system ({network}): SQLite's log needs memory that all who use it share, and the lock \
             on a run may not reach other machines"
        ),
        remedy: "keep it on a local disk (--journal), or, if no other machine ever uses it, give --journal-on-network"
            .to_owned(),
    }
}

/// Its log is in use by process `pid`, for another journal that was here before.
pub(crate) fn log_in_use(path: &Path, pid: u32, log: FileId) -> StoreError {
    StoreError::Misplaced {
        path: path.to_owned(),
        what: format!(
            "was put in the place of another one that is still in use, by {}",
            holder::describe(pid, log)
        ),
        remedy: "end that process, or wait until it has noticed, and try again".to_owned(),
    }
}
