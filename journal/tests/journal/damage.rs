//! A journal that is not what it was: it stops the program and steers nothing.

use std::fs;
use std::path::{Path, PathBuf};

use mesosflow_journal::SqliteJournal;
use mesosflow_workflow::contract::{first, next};
use mesosflow_workflow::{Recorded, RunId, Store, StoreError};

/// A closed journal with one run of 200 events.
async fn written() -> (tempfile::TempDir, PathBuf, Vec<Recorded>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let journal = SqliteJournal::open(&path).unwrap();
    let begin = first("demo");
    let lease = journal.create(begin.clone()).await.unwrap();
    let events = (2..=200).map(|seq| next(&begin, seq)).collect();
    journal.append(&lease, events).await.unwrap();
    let history = journal.load(begin.run).await.unwrap();
    (folder, path, history)
}

/// Changes a closed journal as no code of ours would.
fn tamper(path: &Path, sql: &str) {
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch(sql).unwrap();
}

fn refusal(path: &Path) -> StoreError {
    match SqliteJournal::open(path) {
        Ok(_) => panic!("a damaged journal was opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn bytes_overwritten_anywhere_are_refused_or_harmless() {
    let (_folder, path, history) = written().await;
    let whole = fs::read(&path).unwrap();
    let run: RunId = history[0].run;
    let mut refused = 0;
    let places: Vec<usize> = (100..whole.len() - 64).step_by(997).collect();
    for place in &places {
        let mut damaged = whole.clone();
        for byte in &mut damaged[*place..*place + 16] {
            *byte ^= 0x15;
        }
        fs::write(&path, damaged).unwrap();
        match SqliteJournal::open(&path) {
            // Space that holds nothing.
            Ok(journal) => assert_eq!(journal.load(run).await.unwrap(), history, "at {place}"),
            Err(StoreError::Corrupt(what)) => {
                assert!(what.contains("journal.sqlite"), "{what}");
                refused += 1;
            }
            Err(StoreError::Unusable { .. } | StoreError::NewerFormat { .. }) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(
        refused * 10 > places.len() * 7,
        "{refused} of {} were noticed",
        places.len()
    );
}

#[tokio::test]
async fn a_letter_changed_in_an_event_is_noticed() {
    let (_folder, path, history) = written().await;
    let mut bytes = fs::read(&path).unwrap();
    let place = bytes.windows(6).position(|window| window == b"i-100\"").unwrap();
    bytes[place + 2] = b'9';
    fs::write(&path, bytes).unwrap();
    match refusal(&path) {
        StoreError::Corrupt(what) => {
            assert!(
                what.ends_with(&format!(
                    "event 100 of run `{}` is not what was written",
                    history[0].run
                )),
                "{what}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_truncated_file_is_refused() {
    let (_folder, path, _) = written().await;
    let whole = fs::read(&path).unwrap();
    for length in [
        17,
        100,
        2000,
        4096,
        8192,
        whole.len() / 2,
        whole.len() - 4096,
        whole.len() - 1,
    ] {
        fs::write(&path, &whole[..length]).unwrap();
        let error = refusal(&path);
        assert!(
            matches!(error, StoreError::Corrupt(_) | StoreError::Unusable { .. }),
            "{length}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let text = "not a journal\n".repeat(1000);
    fs::write(&path, &text).unwrap();
    match refusal(&path) {
        StoreError::Unusable { doing, source } => {
            assert!(doing.contains("notes.txt"), "{doing}");
            assert_eq!(source.to_string(), "the file is not an SQLite database");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("songs.sqlite");
    tamper(&path, "CREATE TABLE songs (title TEXT)");
    let before = fs::read(&path).unwrap();
    assert!(matches!(refusal(&path), StoreError::Unusable { .. }));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let (_folder, path, _) = written().await;
    tamper(&path, "PRAGMA user_version = 99");
    let before = fs::read(&path).unwrap();
    assert!(matches!(
        refusal(&path),
        StoreError::NewerFormat {
            found: 99,
            supported: 1
        }
    ));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn an_event_in_a_newer_format_is_refused() {
    let (_folder, path, _) = written().await;
    tamper(
        &path,
        "INSERT INTO events (place, run, seq, at, epoch, generation, kind, format, body, digest)
         SELECT max(place) + 1, run, max(seq) + 1, at, 1, 1, 'moon_landed', 2, '{}', x'00' FROM events",
    );
    assert!(matches!(
        refusal(&path),
        StoreError::NewerFormat {
            found: 2,
            supported: 1
        }
    ));
}

#[tokio::test]
async fn histories_that_cannot_be_are_refused() {
    let deletable = "DROP TRIGGER events_are_never_deleted; DROP TRIGGER events_are_never_changed;
                     DROP TRIGGER runs_only_go_forward; PRAGMA foreign_keys = off;";
    for (sql, expected) in [
        ("DELETE FROM events WHERE seq = 77", "event 77 of run"),
        ("DELETE FROM events WHERE seq = 1", "event 1 of run"),
        ("DELETE FROM events", "has no events"),
        (
            "UPDATE events SET body = replace(body, 'demo', 'prod') WHERE seq = 5",
            "event 5 of run",
        ),
        (
            "UPDATE events SET place = place + (5 << 32) WHERE seq > 100",
            "event 101 of run",
        ),
        (
            "UPDATE runs SET cluster = 'other'",
            "does not begin as the list of runs says",
        ),
        (
            "UPDATE runs SET created_at = '2020-01-01T00:00:00Z'",
            "does not begin as the list of runs says",
        ),
        (
            "UPDATE runs SET run = '01jd3k00000000000000000000'",
            "of an unknown run",
        ),
    ] {
        let (_folder, path, _) = written().await;
        tamper(&path, &format!("{deletable}{sql}"));
        match refusal(&path) {
            StoreError::Corrupt(what) => assert!(what.contains(expected), "{sql}: {what}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_empty_file_becomes_a_journal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    fs::write(&path, "").unwrap();
    let journal = SqliteJournal::open(&path).unwrap();
    journal.create(first("demo")).await.unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    let mode: String = other
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    let version: i64 = other
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!((mode.as_str(), version), ("wal", 1));
}
