//! What a failure of SQLite or of the file system means to the user.

use std::path::{Path, PathBuf};

use mesosflow_workflow::{RunId, StoreError};
use rusqlite::ErrorCode;

/// How little is left on a disk that is called full where SQLite gives no other reason: it writes in pages of 4 KiB, and
/// the index of its log in pieces of 32 KiB.
const NEXT_TO_NOTHING: u64 = 64 * 1024;

/// A failure that can be told to everyone who waited for the same commit.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The file is damaged.
    Corrupt(String),
    /// The file cannot be read or written.
    Unusable {
        /// What was being done, with the file's name.
        doing: String,
        /// What came back.
        cause: String,
    },
    /// The disk that it lies on is full.
    Full {
        /// What was being done, with the file's name.
        doing: String,
        /// How full.
        cause: DiskFull,
    },
    /// The file is not the one that was opened.
    Misplaced {
        /// Where it was opened.
        path: PathBuf,
        /// What is wrong.
        what: String,
        /// What to do about it.
        remedy: String,
    },
}

/// The disk is full: in words.
#[derive(Debug, Clone)]
pub(crate) struct DiskFull(String);

impl std::fmt::Display for DiskFull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DiskFull {}

impl DiskFull {
    /// What to say of the disk that holds the journal at `path`.
    fn at(path: &Path) -> Self {
        let folder = folder(path).display();
        Self(match free(path) {
            Some(free) => format!(
                "the disk is full: {} MiB are free in `{folder}`",
                free / 1024 / 1024
            ),
            None => format!("the disk is full, the one of `{folder}`"),
        })
    }
}

impl Failure {
    /// What `error` means for someone who was `doing` something (`append to`) with the journal at `path`.
    pub(crate) fn of(doing: &str, path: &Path, error: &rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        if code == Some(ErrorCode::DatabaseCorrupt) {
            return Self::Corrupt(format!("`{}`: {error}", path.display()));
        }
        let doing = format!("cannot {doing} the journal `{}`", path.display());
        let cause = match code {
            Some(ErrorCode::DiskFull) => {
                let cause = DiskFull::at(path);
                return Self::Full { doing, cause };
            }
            // The files beside the journal cannot be made either, for which SQLite has other words.
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen)
                if free(path).is_some_and(|free| free < NEXT_TO_NOTHING) =>
            {
                let cause = DiskFull::at(path);
                return Self::Full { doing, cause };
            }
            Some(ErrorCode::NotADatabase) => "the file is not an SQLite database".to_owned(),
            Some(ErrorCode::ReadOnly) => "the file or its folder is read-only".to_owned(),
            Some(ErrorCode::DatabaseBusy) => "another process has been writing to it for too long".to_owned(),
            _ => match error.sqlite_error() {
                Some(sqlite) => format!("{error} (SQLite code {})", sqlite.extended_code),
                None => error.to_string(),
            },
        };
        Self::Unusable { doing, cause }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Corrupt(what) => Self::Corrupt(what),
            Failure::Unusable { doing, cause } => Self::Unusable {
                doing,
                source: cause.into(),
            },
            Failure::Full { doing, cause } => Self::Unusable {
                doing,
                source: cause.into(),
            },
            Failure::Misplaced { path, what, remedy } => Self::Misplaced { path, what, remedy },
        }
    }
}

/// Why the disk is full, where that is what `error` says.
pub(crate) fn disk_full(error: &StoreError) -> Option<DiskFull> {
    match error {
        StoreError::Unusable { source, .. } => source.downcast_ref::<DiskFull>().cloned(),
        _ => None,
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// How many bytes this user may still write to the disk that holds `path`.
fn free(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder(path)).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// The error of someone who was `doing` something with the journal at `path` when SQLite failed.
pub(crate) fn sqlite(doing: &str, path: &Path, error: &rusqlite::Error) -> StoreError {
    Failure::of(doing, path, error).into()
}

/// The error of someone who was `doing` something with the journal at `path` when something else failed.
pub(crate) fn unusable(
    doing: &str,
    path: &Path,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    let mut source = cause.into();
    let is_full = source
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::StorageFull);
    if is_full {
        source = DiskFull::at(path).into();
    }
    StoreError::Unusable {
        doing: format!("cannot {doing} the journal `{}`", path.display()),
        source,
    }
}

/// The error of someone who found the journal at `path` damaged in what all of its runs need.
pub(crate) fn corrupt(path: &Path, what: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("`{}`: {what}", path.display()))
}

/// The error of someone who found the history of `run` damaged.
pub(crate) fn damaged(run: RunId, what: impl std::fmt::Display) -> StoreError {
    StoreError::DamagedRun {
        run,
        what: what.to_string(),
    }
}

/// What `error` means to someone who reads the history of `run` alone: a page or a column of it that cannot be read is
/// that run's damage.
pub(crate) fn of_run(run: RunId, path: &Path, error: &rusqlite::Error) -> StoreError {
    match (error, error.sqlite_error_code()) {
        (_, Some(ErrorCode::DatabaseCorrupt)) => damaged(run, error),
        (rusqlite::Error::SqliteFailure(..), _) => sqlite("read", path, error),
        _ => damaged(run, error),
    }
}
/// Why a request was not carried out: by a decision, which concerns it alone, or by SQLite.
pub(crate) enum Refusal {
    Decided(StoreError),
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Decided(error)
    }
}
