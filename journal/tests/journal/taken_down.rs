//! Whatever is damaged of a run in the journal, it can be taken down: taken over, recorded as destroyed, its name given back.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use mesosflow_journal::SqliteJournal;
use mesosflow_workflow::contract::first;
use mesosflow_workflow::{Epoch, Event, Purpose, Recorded, Store, StoreError};

use crate::damage::three;

/// Changes what the tables do not let anybody change.
fn overwrite(path: &Path, sql: &str) {
    let other = rusqlite::Connection::open(path).unwrap();
    let triggers: Vec<(String, String)> = other
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    other
        .execute_batch("PRAGMA foreign_keys = off; PRAGMA ignore_check_constraints = on")
        .unwrap();
    for (name, _) in &triggers {
        other.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    other.execute_batch(sql).unwrap();
    for (_, sql) in &triggers {
        other.execute_batch(sql).unwrap();
    }
}

/// The run can be taken over to be taken down, which is recorded, and its name is free for another cluster.
async fn can_be_taken_down(path: &Path, history: &[Recorded], case: &str) {
    let last = history.last().unwrap();
    let journal = SqliteJournal::open(path).unwrap_or_else(|error| panic!("{case}: {error:?}"));
    let lease = match journal.adopt_damaged(last.run, Epoch(0)).await {
        Ok(lease) => lease,
        Err(error) => panic!("{case}: {error:?}"),
    };
    assert!(lease.epoch() > last.epoch, "{case}");
    let listed = journal.runs().await.unwrap();
    assert!(
        journal.is_held(last.run).await.unwrap(),
        "{case}: {lease:?} {listed:?}"
    );
    let adopted = Recorded {
        seq: last.seq.next(),
        epoch: lease.epoch(),
        event: Event::RunAdopted {
            purpose: Purpose::Destroy,
            pid: 1,
            host: "here".into(),
            nonce: None,
            over: Vec::new(),
        },
        ..last.clone()
    };
    let appended = journal.append(&lease, vec![Arc::new(adopted)]).await;
    assert!(appended.is_ok(), "{case}: {appended:?}");
    journal.retire(&lease).await.unwrap();
    drop(lease);
    let rows = journal.runs().await.unwrap();
    assert_eq!(rows.len(), 3, "{case}");
    let row = rows.iter().find(|row| row.run == last.run).unwrap();
    assert!(row.summary.destroyed && !row.owns_cluster, "{case}: {row:?}");
    assert_eq!(
        (row.cluster.as_str(), row.provider.as_str()),
        ("two", "local"),
        "{case}"
    );
    journal.create(first("two")).await.unwrap();
}

/// Whatever is damaged of what the journal lists of a run and its cluster.
#[tokio::test]
async fn a_run_with_a_damaged_row_can_be_taken_down_and_is_not_driven() {
    let (_folder, path, histories) = three().await;
    let whole = fs::read(&path).unwrap();
    let run = histories[1][0].run;
    for sql in [
        "UPDATE clusters SET name = 'twp' WHERE number = 2",
        "UPDATE clusters SET name = CAST(x'74ff6f' AS TEXT) WHERE number = 2",
        "UPDATE clusters SET id = 'x' || substr(id, 2) WHERE number = 2",
        "UPDATE clusters SET provider = 'lobal' WHERE number = 2",
        "UPDATE clusters SET epoch = 70000 WHERE number = 2",
        "UPDATE clusters SET epoch = -3 WHERE number = 2",
        "UPDATE clusters SET epoch = 9223372036854775807 WHERE number = 2",
        "UPDATE clusters SET is_gone = 1 WHERE number = 2",
        "UPDATE clusters SET created_at = 'then' WHERE number = 2",
        "UPDATE clusters SET digest = x'00' WHERE number = 2",
        "UPDATE runs SET run = 'x' || substr(run, 2) WHERE number = 2",
        "UPDATE runs SET cluster = 3 WHERE number = 2",
        "UPDATE runs SET cluster = 9 WHERE number = 2",
        "UPDATE runs SET workflow = 'deplox' WHERE number = 2",
        "UPDATE runs SET created_at = CAST(x'ff' AS TEXT) WHERE number = 2",
        "UPDATE runs SET phase = 'done' WHERE number = 2",
        "UPDATE runs SET generation = 5 WHERE number = 2",
        "UPDATE runs SET seq = 5000 WHERE number = 2",
        "UPDATE runs SET digest = x'00' WHERE number = 2",
    ] {
        for beside in ["journal.sqlite-wal", "journal.sqlite-shm"] {
            let _ = fs::remove_file(path.with_file_name(beside));
        }
        fs::write(&path, &whole).unwrap();
        overwrite(&path, sql);
        let journal = SqliteJournal::open(&path).unwrap();
        if !sql.contains("seq") {
            let driven = journal.adopt(run, Epoch(0)).await;
            assert!(
                matches!(driven, Err(StoreError::DamagedRun { .. })),
                "{sql}: {driven:?}"
            );
        }
        drop(journal);
        can_be_taken_down(&path, &histories[1], sql).await;
        let report = SqliteJournal::open(&path).unwrap().verify().await.unwrap();
        assert_eq!(report.findings, [], "{sql}");
    }
}

/// Nothing of a lost first event is needed that the rows have as well; what is behind it can be read.
#[tokio::test]
async fn a_run_that_has_lost_its_first_event_can_be_taken_down() {
    let (_folder, path, histories) = three().await;
    overwrite(
        &path,
        "UPDATE events SET body = replace(body, 'two', 'twp') WHERE run = (SELECT run FROM runs WHERE number = 2) AND seq = 1",
    );
    let journal = SqliteJournal::open(&path).unwrap();
    let salvaged = journal.salvage(histories[1][0].run).await.unwrap();
    assert_eq!(
        (salvaged.events.len(), &salvaged.later[..]),
        (0, &histories[1][1..])
    );
    drop(journal);
    can_be_taken_down(&path, &histories[1], "the first event").await;
}

/// A letter of an id in the index of the list of runs, be it the run's own or another one's.
#[tokio::test]
async fn a_byte_changed_in_an_index_keeps_no_run_from_being_taken_down() {
    let (_folder, path, histories) = three().await;
    let whole = fs::read(&path).unwrap();
    for history in &histories {
        let id = history[0].run.to_string();
        // In a leaf of an index, the id is followed by the number alone.
        let place = whole
            .windows(26)
            .enumerate()
            .filter(|(_, window)| *window == id.as_bytes())
            .map(|(place, _)| place)
            .find(|place| whole[place / 4096 * 4096] == 10)
            .unwrap();
        for (letter, change) in [(0, 1), (12, 0xff), (25, 1), (25, 0xff)] {
            for beside in ["journal.sqlite-wal", "journal.sqlite-shm"] {
                let _ = fs::remove_file(path.with_file_name(beside));
            }
            let mut damaged = whole.clone();
            damaged[place + letter] ^= change;
            fs::write(&path, damaged).unwrap();
            can_be_taken_down(&path, &histories[1], &format!("letter {letter} of {id}")).await;
        }
    }
}

/// What is behind a lost page is read as well.
#[tokio::test]
async fn what_is_whole_behind_a_lost_page_is_salvaged() {
    let (_folder, path, histories) = three().await;
    let mut bytes = fs::read(&path).unwrap();
    let history = &histories[1];
    let place = bytes
        .windows(26)
        .enumerate()
        .filter(|(_, window)| *window == history[0].run.to_string().as_bytes())
        .map(|(place, _)| place)
        .nth(100)
        .unwrap();
    bytes[place / 4096 * 4096..][..4096].fill(0);
    fs::write(&path, bytes).unwrap();
    let journal = SqliteJournal::open(&path).unwrap();
    let salvaged = journal.salvage(history[0].run).await.unwrap();
    let (before, behind) = (salvaged.events.len(), salvaged.later.len());
    assert_eq!(salvaged.events, history[..before]);
    assert_eq!(salvaged.later, history[200 - behind..]);
    assert!((1..20).contains(&(200 - before - behind)), "{before} {behind}");
}
