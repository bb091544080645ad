//! The SQLite journal of mesosflow: where the histories of runs survive a crash.
//!
//! [`SqliteJournal`] is a [`Store`](mesosflow_workflow::Store) in one SQLite file:
//!
//! - `schema` – the tables, their migrations, and the settings every connection is read back for;
//! - `check` – what is verified before a journal is used;
//! - `writer` – who writes and when: a thread that shares a commit between the appends that wait for it;
//! - `commit` – what one transaction writes;
//! - `lock` – the operating system's lock on a run, which dies with its process;
//! - `row` – an event as a row, and the digest that tells a damaged one;
//! - `files` – who may read the files;
//! - `error` – what SQLite's failures mean to the user.
//!
//! # Where a journal may live
//!
//! On a local file system. Write-ahead logging needs memory shared between the processes that use the file, and the
//! lock on a run needs `flock`: on a network file system the first does not work between machines, and the second
//! depends on the server. Opening a journal where write-ahead logging cannot be switched on fails.

mod check;
mod commit;
mod error;
mod files;
mod lock;
mod row;
mod schema;
mod store;
mod writer;

pub use store::SqliteJournal;
