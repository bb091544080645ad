//! SQLite's connections to a journal's file, as they are opened.

use std::path::Path;
use std::time::Duration;

use mesosflow_workflow::StoreError;
use rusqlite::{Connection, OpenFlags};

use crate::error::sqlite;

/// How long a write waits for another process's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a connection may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Read and write, as far as the file allows.
    Write,
    /// Read a file on a read-only medium that nobody else writes to.
    Immutable,
    /// Read with no file beside the journal but its log, and keep others out meanwhile.
    Alone,
}

/// Opens the existing file at `path`. SQLite reads nothing of it yet.
pub(crate) fn connect(path: &Path, access: Access) -> Result<Connection, StoreError> {
    let fail = |error: rusqlite::Error| sqlite("open", path, &error);
    let connection = match access {
        Access::Write | Access::Alone => Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        ),
        Access::Immutable => Connection::open_with_flags(
            immutable_uri(path),
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI,
        ),
    }
    .map_err(fail)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(fail)?;
    if access == Access::Alone {
        // The index of the log is kept in memory then, not in a file that a full disk has no room for.
        connection
            .pragma_update(None, "locking_mode", "exclusive")
            .map_err(fail)?;
    }
    // A page is looked at before anything in it is believed.
    connection
        .pragma_update(None, "cell_size_check", "on")
        .map_err(fail)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn immutable_uri(path: &Path) -> String {
    let path = path
        .to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    format!("file:{path}?immutable=1")
}
