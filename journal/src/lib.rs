//! The SQLite journal of mesosflow: where the histories of runs survive a crash.
//!
//! [`SqliteJournal`] is a [`Store`](mesosflow_workflow::Store) in one SQLite file:
//!
//! - `schema` – the tables, their migrations, and the settings every connection is read back for;
//! - `row`, `ledger`, `snapshot` – events, clusters and runs, and snapshots as rows, and the digests that tell a damaged one;
//! - `writer` – who writes and when: a thread that shares a commit between the appends that wait for it;
//! - `commit` – one transaction for a group of requests; `act` – what each of them writes;
//! - `read` – histories page by page, verified as they are read; `list` – the list of runs;
//! - `backup` – copies of it, made while it is written to, and put back;
//! - `check` – what is verified before a journal is used, and the whole of it when asked;
//! - `lock` – the operating system's lock on a cluster, which dies with its process;
//! - `files` – who may read the files;
//! - `error` – what SQLite's failures mean to the user.
//!
//! # Where a journal may live
//!
//! On a local file system. Write-ahead logging needs memory shared between the processes that use the file, and the
//! lock on a cluster needs `flock`: on a network file system the first does not work between machines, and the second
//! depends on the server. Opening a journal where write-ahead logging cannot be switched on fails.

mod act;
mod backup;
mod check;
mod commit;
mod error;
mod files;
mod ledger;
mod list;
mod lock;
mod read;
mod row;
mod schema;
mod snapshot;
mod store;
mod writer;

pub use backup::{BACKUP_NAME, Backup, Copied, backup_folder, restore};
pub use check::{Finding, Report};
pub use store::SqliteJournal;
