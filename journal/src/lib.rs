//! The SQLite journal of mesosflow: where the histories of runs survive a crash.
//!
//! [`SqliteJournal`] is a [`Store`](mesosflow_workflow::Store) in one SQLite file:
//!
//! - `connect` – how SQLite opens the file; `schema` – the tables, their migrations, and the settings every connection is read
//!   back for;
//! - `row`, `ledger`, `snapshot` – events, clusters and runs, and snapshots as rows; `column` – their values, and the digests that
//!   tell a damaged row;
//! - `writer` – who writes and when: a thread that shares a commit between the appends that wait for it;
//! - `commit` – one transaction for a group of requests; `act` – what each of them writes;
//! - `walk` – histories page by page, verified as they are read; `read` – what is asked of them; `list` – the list of runs;
//! - `recover` – what can still be said of a damaged run; `mend` – its rows written anew, so that it can be taken down;
//! - `backup` – copies of it, made while it is written to, and put back;
//! - `check` – what is verified before a journal is used, and the whole of it when asked;
//! - `identity` – which file a journal is, whatever its path says; `inode` – a file itself; `watch` – whether it is still
//!   in its place; `refusal` – why it may not be opened where it is;
//! - `lock` – the operating system's lock on a cluster, which dies with its process; `range` – such locks on parts of a
//!   file; `holder` – who has one;
//! - `files` – who may read the files; `filesystem` – where they may lie; `place` – whether one could lie at a path;
//! - `error` – what SQLite's failures mean to the user.
//!
//! # Where a journal may live
//!
//! On a local file system, under one path, and where it was opened for as long as it is open. Write-ahead logging needs
//! memory shared between the processes that use the file, and the lock on a cluster has to reach all of them: on a network
//! file system the first does not work between machines, and the second depends on the server. [`Options`] allow it all
//! the same. Opening a journal where write-ahead logging cannot be switched on fails.

mod act;
mod backup;
mod check;
mod column;
mod commit;
mod connect;
mod error;
mod files;
mod filesystem;
mod holder;
mod identity;
mod inode;
mod ledger;
mod list;
mod lock;
mod mend;
mod place;
mod range;
mod read;
mod recover;
mod refusal;
mod row;
mod schema;
mod snapshot;
mod store;
mod walk;
mod watch;
mod writer;

pub use backup::{BACKUP_NAME, Backup, Copied, backup_folder, restore};
pub use check::{Finding, Report};
pub use identity::Options;
pub use place::{Place, look_at};
pub use store::SqliteJournal;
