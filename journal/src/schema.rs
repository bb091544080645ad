//! The tables, their migrations, and the settings that a connection is read back for.

mod migrate;

use std::path::Path;

use mesosflow_workflow::StoreError;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, MAIN_DB};

use crate::error::{sqlite, unusable};
use crate::lock::Locks;
use migrate::MIGRATIONS;

/// `mflw`: marks the file as a journal, for this program and for `file`.
const APPLICATION_ID: i64 = 0x6d66_6c77;

/// The newest schema that this build reads and writes.
pub(crate) const LATEST: i64 = MIGRATIONS.len() as i64;

/// The schema of the file, 0 for an empty one. Changes nothing.
///
/// # Errors
///
/// [`StoreError::NewerFormat`] for a newer schema, [`StoreError::Unusable`] for a file that is no journal.
pub(crate) fn identify(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let (application, version, tables) =
        identity(connection).map_err(|error| sqlite("open", path, &error))?;
    match (application, version) {
        (APPLICATION_ID, newer) if newer > LATEST => Err(StoreError::NewerFormat {
            found: newer.unsigned_abs(),
            supported: LATEST.unsigned_abs(),
        }),
        (APPLICATION_ID, version) if version >= 1 => Ok(version),
        (0, 0) if tables == 0 => Ok(0),
        _ => Err(unusable(
            "open",
            path,
            "it is an SQLite database of another program",
        )),
    }
}

/// Application id, version and number of tables: of one moment, because another process may be setting the file up.
fn identity(connection: &Connection) -> rusqlite::Result<(i64, i64, i64)> {
    let moment = connection.unchecked_transaction()?;
    let identity = (
        moment.pragma_query_value(None, "application_id", |row| row.get(0))?,
        moment.pragma_query_value(None, "user_version", |row| row.get(0))?,
        moment.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?,
    );
    moment.commit()?;
    Ok(identity)
}

/// Whether SQLite got no more than the right to read.
pub(crate) fn is_read_only(connection: &Connection, path: &Path) -> Result<bool, StoreError> {
    connection
        .is_readonly(MAIN_DB)
        .map_err(|error| sqlite("open", path, &error))
}

/// Makes `connection` a writer: settings that make a commit durable, read back, and the newest schema.
pub(crate) fn prepare_writer(
    connection: &mut Connection,
    path: &Path,
    locks: &Locks,
) -> Result<(), StoreError> {
    let fail = |error: rusqlite::Error| sqlite("set up", path, &error);
    let mode: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(fail)?;
    if mode == "wal" && identify(connection, path)? == LATEST {
        return settings(connection, path);
    }
    // Switching the mode of a new file does not wait for another process that does the same: it fails.
    locks.alone(|| {
        settings(connection, path)?;
        migrate(connection, path)?;
        settings(connection, path)
    })
}

/// Sets what a durable commit needs, and believes only what it reads back.
fn settings(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let wanted = [
        ("journal_mode", "wal", "wal"),
        ("synchronous", "full", "2"),
        ("foreign_keys", "on", "1"),
        ("wal_autocheckpoint", "1000", "1000"),
        ("journal_size_limit", "8388608", "8388608"),
    ];
    for (name, value, expected) in wanted {
        let fail = |error: rusqlite::Error| sqlite("set up", path, &error);
        connection.pragma_update(None, name, value).map_err(fail)?;
        let found = read_back(connection, name).map_err(fail)?;
        if found != expected {
            let cause = format!(
                "SQLite keeps {name}={found} where {expected} is needed; is it on a network file system?"
            );
            return Err(unusable("set up", path, cause));
        }
    }
    Ok(())
}

/// The value of a setting as text.
fn read_back(connection: &Connection, name: &str) -> rusqlite::Result<String> {
    use rusqlite::types::Value;
    Ok(
        match connection.pragma_query_value(None, name, |row| row.get(0))? {
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => text,
            other => format!("{other:?}"),
        },
    )
}

/// Brings the file to the newest schema, each step in a transaction of its own.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let fail = |error: rusqlite::Error| sqlite("migrate", path, &error);
    // A table that is made anew is missing for a moment. Within a transaction this cannot be set.
    connection
        .pragma_update(None, "foreign_keys", "off")
        .map_err(fail)?;
    loop {
        let version = identify(connection, path)?;
        let Some(migration) = usize::try_from(version)
            .ok()
            .and_then(|from| MIGRATIONS.get(from))
        else {
            return Ok(());
        };
        let transaction = connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(fail)?;
        migration(&transaction, path)?;
        transaction
            .pragma_update(None, "application_id", APPLICATION_ID)
            .map_err(fail)?;
        transaction
            .pragma_update(None, "user_version", version + 1)
            .map_err(fail)?;
        transaction.commit().map_err(fail)?;
        tracing::debug!(journal = %path.display(), from = version, to = version + 1, "migrated");
    }
}

/// A copy in memory, in the newest schema, of an older journal that may not be changed.
pub(crate) fn migrated(older: &Connection, path: &Path) -> Result<Connection, StoreError> {
    let fail = |error: rusqlite::Error| sqlite("read", path, &error);
    let mut memory = Connection::open_in_memory().map_err(fail)?;
    let copied = Backup::new(older, &mut memory).and_then(|backup| backup.step(-1));
    match copied.map_err(fail)? {
        StepResult::Done => {}
        other => {
            return Err(unusable(
                "read",
                path,
                format!("it could not be copied: {other:?}"),
            ));
        }
    }
    migrate(&mut memory, path)?;
    Ok(memory)
}

/// Makes `connection` a reader: it could not write if it tried.
pub(crate) fn prepare_reader(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    connection
        .pragma_update(None, "query_only", "on")
        .map_err(|error| sqlite("open", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::{Access, connect};
    use crate::identity::{Anchor, Attached, Options};

    fn journal() -> (tempfile::TempDir, std::path::PathBuf, Attached) {
        let folder = tempfile::tempdir().unwrap();
        let anchor = Anchor::create(&folder.path().join("journal.sqlite"), Options::default()).unwrap();
        let path = anchor.path().to_owned();
        let mut connection = anchor.connect(Access::Write).unwrap();
        assert_eq!(identify(&connection, &path).unwrap(), 0);
        prepare_writer(&mut connection, &path, &Locks::of(&anchor)).unwrap();
        (folder, path, connection)
    }

    #[test]
    fn an_empty_file_migrates_and_a_second_opening_finds_nothing_to_do() {
        let (_folder, path, connection) = journal();
        assert_eq!(identify(&connection, &path).unwrap(), LATEST);
        let mut second = connect(&path, Access::Write).unwrap();
        prepare_writer(&mut second, &path, &Locks::of(connection.anchor())).unwrap();
        assert_eq!(identify(&second, &path).unwrap(), LATEST);
    }

    #[test]
    fn the_settings_of_a_durable_commit_are_read_back() {
        let (_folder, _path, connection) = journal();
        for (name, expected) in [
            ("journal_mode", "wal"),
            ("synchronous", "2"),
            ("foreign_keys", "1"),
        ] {
            assert_eq!(read_back(&connection, name).unwrap(), expected);
        }
    }

    #[test]
    fn a_setting_that_does_not_take_is_an_error() {
        // A database in memory cannot keep a write-ahead log, as a file on some network file systems cannot.
        let connection = Connection::open_in_memory().unwrap();
        match settings(&connection, Path::new("here")) {
            Err(StoreError::Unusable { source, .. }) => {
                assert!(source.to_string().contains("journal_mode=memory"), "{source}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn another_programs_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.sqlite");
        let other = Connection::open(&path).unwrap();
        other.execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
        assert!(matches!(
            identify(&other, &path),
            Err(StoreError::Unusable { .. })
        ));
    }

    #[test]
    fn the_tables_refuse_what_no_code_of_ours_would_do() {
        let (_folder, _path, connection) = journal();
        connection
            .execute_batch(
                "INSERT INTO clusters VALUES (1, 'c', 'p', 'n', 3, 0, 't', x'');
                 INSERT INTO runs VALUES (1, 'r', 1, 'deploy', 2, 't', 'running', 2, NULL, 0, 5, x'');
                 INSERT INTO snapshots VALUES (1, 1, 1, x'', x'');
                 INSERT INTO events VALUES (4294967297, 'r', 1, 't', 1, 1, 'k', NULL, NULL, NULL, 1, '', x'');",
            )
            .unwrap();
        for refused in [
            "UPDATE events SET body = '[]'",
            "DELETE FROM events",
            "INSERT INTO events SELECT * FROM events",
            "INSERT INTO events VALUES (4294967299, 'r', 2, 't', 1, 1, 'k', NULL, NULL, NULL, 1, '', x'')",
            "INSERT INTO events VALUES (8589934593, 's', 1, 't', 1, 1, 'k', NULL, NULL, NULL, 1, '', x'')",
            "INSERT INTO events VALUES (4294967298, 'r', 2, 't', 'x', 1, 'k', NULL, NULL, NULL, 1, '', x'')",
            "DELETE FROM runs",
            "UPDATE runs SET generation = 1",
            "UPDATE runs SET seq = 4",
            "UPDATE runs SET run = 'q'",
            "INSERT INTO runs VALUES (2, 'r', 1, 'deploy', 2, 't', 'running', 1, NULL, 0, 1, x'')",
            "INSERT INTO runs VALUES (2, 's', 2, 'deploy', 2, 't', 'running', 1, NULL, 0, 1, x'')",
            "DELETE FROM clusters",
            "UPDATE clusters SET epoch = 2",
            "UPDATE clusters SET name = 'o'",
            "INSERT INTO clusters VALUES (2, 'd', 'p', 'n', 1, 0, 't', x'')",
            "INSERT INTO snapshots VALUES (2, 1, 1, x'', x'')",
            "UPDATE journal SET id = 'other'",
            "DELETE FROM journal",
        ] {
            assert!(connection.execute_batch(refused).is_err(), "{refused} went in");
        }
    }
}
