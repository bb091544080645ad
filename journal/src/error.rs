//! What a failure of SQLite or of the file system means to the user.

use std::path::Path;

use mesosflow_workflow::{RunId, StoreError};
use rusqlite::ErrorCode;

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
}

impl Failure {
    /// What `error` means for someone who was `doing` something (`append to`) with the journal at `path`.
    pub(crate) fn of(doing: &str, path: &Path, error: &rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        if code == Some(ErrorCode::DatabaseCorrupt) {
            return Self::Corrupt(format!("`{}`: {error}", path.display()));
        }
        let cause = match code {
            Some(ErrorCode::DiskFull) => "the disk is full".to_owned(),
            Some(ErrorCode::NotADatabase) => "the file is not an SQLite database".to_owned(),
            Some(ErrorCode::ReadOnly) => "the file or its folder is read-only".to_owned(),
            Some(ErrorCode::DatabaseBusy) => "another process has been writing to it for too long".to_owned(),
            _ => match error.sqlite_error() {
                Some(sqlite) => format!("{error} (SQLite code {})", sqlite.extended_code),
                None => error.to_string(),
            },
        };
        Self::Unusable {
            doing: format!("cannot {doing} the journal `{}`", path.display()),
            cause,
        }
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
        }
    }
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
    StoreError::Unusable {
        doing: format!("cannot {doing} the journal `{}`", path.display()),
        source: cause.into(),
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
