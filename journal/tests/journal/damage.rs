//! A journal that is not what it was: a damaged structure stops the program, a damaged run stops itself alone, and nothing
//! that is damaged steers anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mesosflow_journal::SqliteJournal;
use mesosflow_workflow::contract::{first, next};
use mesosflow_workflow::{Epoch, Recorded, RunId, Seq, Snapshot, Store, StoreError};

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

/// A closed journal with three runs of 200 events each, whose clusters are still there.
pub(crate) async fn three() -> (tempfile::TempDir, PathBuf, Vec<Vec<Recorded>>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let journal = SqliteJournal::open(&path).unwrap();
    let mut histories = Vec::new();
    for cluster in ["one", "two", "three"] {
        let begin = first(cluster);
        let lease = journal.create(begin.clone()).await.unwrap();
        let events = (2..=200).map(|seq| next(&begin, seq)).collect();
        journal.append(&lease, events).await.unwrap();
        histories.push(journal.load(begin.run).await.unwrap());
    }
    (folder, path, histories)
}

/// What `load` says of a run's damage.
async fn damage(journal: &SqliteJournal, run: RunId) -> String {
    match journal.load(run).await {
        Err(StoreError::DamagedRun { run: damaged, what }) => {
            assert_eq!(damaged, run);
            what
        }
        other => panic!("{other:?}"),
    }
}

/// The run can be taken over, written to and retired.
async fn works(journal: &SqliteJournal, history: &[Recorded]) -> Result<(), StoreError> {
    let last = history.last().unwrap();
    assert_eq!(journal.load(last.run).await?, history);
    let lease = journal.adopt(last.run, Epoch(0)).await?;
    let event = Recorded {
        seq: last.seq.next(),
        epoch: lease.epoch(),
        ..last.clone()
    };
    journal.append(&lease, vec![Arc::new(event)]).await?;
    journal.retire(&lease).await
}

#[tokio::test]
async fn bytes_overwritten_anywhere_are_noticed_where_they_are_used_or_harmless() {
    let (_folder, path, histories) = three().await;
    let whole = fs::read(&path).unwrap();
    let (mut refused, mut one, mut more) = (0, 0, 0);
    let places: Vec<usize> = (100..whole.len() - 64).step_by(3011).collect();
    for place in &places {
        let mut damaged = whole.clone();
        for byte in &mut damaged[*place..*place + 16] {
            *byte ^= 0x15;
        }
        fs::write(&path, damaged).unwrap();
        match SqliteJournal::open(&path) {
            Ok(journal) => {
                let mut broken = 0;
                for history in &histories {
                    match works(&journal, history).await {
                        Ok(()) => {}
                        Err(StoreError::DamagedRun { run, .. }) => {
                            assert_eq!(run, history[0].run, "at {place}");
                            broken += 1;
                        }
                        Err(other) => panic!("at {place}: {other:?}"),
                    }
                }
                one += usize::from(broken == 1);
                more += usize::from(broken > 1);
                if broken > 0 {
                    assert_eq!(journal.runs().await.unwrap().len(), 3, "at {place}");
                    let report = journal.verify().await.unwrap();
                    assert!(!report.findings.is_empty(), "at {place}");
                }
            }
            Err(StoreError::Corrupt(what)) => {
                assert!(what.contains("journal.sqlite"), "{what}");
                refused += 1;
            }
            Err(StoreError::Unusable { .. } | StoreError::NewerFormat { .. }) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
        // The log of a journal that was written to must not meet the next damage.
        for beside in ["journal.sqlite-wal", "journal.sqlite-shm"] {
            let _ = fs::remove_file(path.with_file_name(beside));
        }
    }
    let all = places.len();
    assert!(one * 10 > all * 6, "{one} of {all} damaged one run");
    assert!(
        more * 10 < all,
        "{more} of {all} damaged several runs, {refused} all of them"
    );
    assert!(refused * 10 < all * 2, "{refused} of {all} damaged all runs");
}

#[tokio::test]
async fn a_letter_changed_in_one_run_stops_that_run_alone() {
    let (_folder, path, histories) = three().await;
    let mut bytes = fs::read(&path).unwrap();
    let place = bytes.windows(6).position(|window| window == b"i-100\"").unwrap();
    bytes[place + 2] = b'9';
    fs::write(&path, bytes).unwrap();
    let journal = SqliteJournal::open(&path).unwrap();
    let rows = journal.runs().await.unwrap();
    assert_eq!(rows.len(), 3);
    let mut damaged = Vec::new();
    for history in &histories {
        let run = history[0].run;
        if works(&journal, history).await.is_ok() {
            continue;
        }
        assert_eq!(damage(&journal, run).await, "event 100 is not what was written");
        // What is before the damage can be read, and what is behind it too.
        assert_eq!(journal.read(run, Seq(0), 99).await.unwrap(), history[..99]);
        assert_eq!(journal.read(run, Seq(100), 512).await.unwrap(), history[100..]);
        let salvaged = journal.salvage(run).await.unwrap();
        assert_eq!(salvaged.events, history[..99]);
        assert_eq!(salvaged.later, history[100..]);
        assert_eq!(salvaged.damage.unwrap(), "event 100 is not what was written");
        damaged.push(run);
    }
    let [run] = damaged[..] else { panic!("{damaged:?}") };
    // It can be taken over, told that its cluster is gone, and gives the name back: its end is known without its middle.
    let row = rows.iter().find(|row| row.run == run).unwrap();
    assert_eq!(row.summary.seq, Seq(200));
    let lease = journal.adopt(run, Epoch(0)).await.unwrap();
    let event = Recorded {
        seq: row.summary.seq.next(),
        epoch: lease.epoch(),
        ..histories[0][199].clone()
    };
    let event = Recorded { run, ..event };
    journal.append(&lease, vec![Arc::new(event)]).await.unwrap();
    journal.retire(&lease).await.unwrap();
    drop(lease);
    let report = journal.verify().await.unwrap();
    let found: Vec<_> = report.findings.iter().map(|finding| finding.run).collect();
    assert_eq!(found, [Some(run)], "{report:?}");
    assert_eq!((report.runs, report.clusters), (3, 3));
    // The two others have each an event more.
    assert_eq!(report.events, 2 * 201 + 99);
}

#[tokio::test]
async fn a_page_that_cannot_be_read_stops_its_run_alone() {
    let (_folder, path, histories) = three().await;
    let mut bytes = fs::read(&path).unwrap();
    let middle = &histories[1];
    // A page with events of the second run only, from the middle of its history.
    let place = bytes
        .windows(26)
        .enumerate()
        .filter(|(_, window)| *window == middle[0].run.to_string().as_bytes())
        .map(|(place, _)| place)
        .nth(100)
        .unwrap();
    let page = place / 4096 * 4096;
    bytes[page..page + 4096].fill(0);
    fs::write(&path, bytes).unwrap();
    let journal = SqliteJournal::open(&path).unwrap();
    assert_eq!(journal.runs().await.unwrap().len(), 3);
    let run = middle[0].run;
    assert!(damage(&journal, run).await.contains("malformed"));
    let salvaged = journal.salvage(run).await.unwrap();
    assert!(
        (10..190).contains(&salvaged.events.len()),
        "{}",
        salvaged.events.len()
    );
    assert_eq!(salvaged.events, middle[..salvaged.events.len()]);
    for history in [&histories[0], &histories[2]] {
        works(&journal, history).await.unwrap();
    }
    journal.create(first("four")).await.unwrap();
    assert!(!journal.verify().await.unwrap().findings.is_empty());
}

/// Where a journal is so large that not all of it is looked at when it is opened, damage is noticed all the same: by those
/// who read it.
#[tokio::test]
async fn damage_in_a_large_journal_is_noticed_by_the_run_that_has_it() {
    let (_folder, path, histories) = three().await;
    let run = histories[1][0].run;
    let journal = SqliteJournal::open(&path).unwrap();
    let lease = journal.adopt(run, Epoch(0)).await.unwrap();
    let large = Snapshot {
        seq: Seq(9),
        format: 1,
        state: vec![9; 12 << 20],
    };
    journal.keep(&lease, large).await.unwrap();
    drop((journal, lease));
    let mut bytes = fs::read(&path).unwrap();
    let place = bytes
        .windows(26)
        .enumerate()
        .filter(|(_, window)| *window == run.to_string().as_bytes())
        .map(|(place, _)| place)
        .nth(100)
        .unwrap();
    bytes[place / 4096 * 4096..][..4096].fill(0);
    let last = bytes.len() - 2000;
    assert_eq!(bytes[last], 9, "the snapshot does not lie at the end");
    bytes[last] = 8;
    fs::write(&path, bytes).unwrap();
    let journal = SqliteJournal::open(&path).unwrap();
    assert!(damage(&journal, run).await.contains("malformed"));
    assert_eq!(journal.snapshot(run).await.unwrap(), None);
    for history in [&histories[0], &histories[2]] {
        works(&journal, history).await.unwrap();
    }
    let report = journal.verify().await.unwrap();
    assert!(
        report.findings.iter().any(|finding| finding.run == Some(run)),
        "{report:?}"
    );
}

#[tokio::test]
async fn a_last_page_that_cannot_be_read_keeps_no_other_run_from_being_written() {
    let (_folder, path, histories) = three().await;
    let mut bytes = fs::read(&path).unwrap();
    let run = histories[1][0].run;
    let lasts: Vec<usize> = bytes
        .windows(6)
        .enumerate()
        .filter(|(_, window)| *window == b"i-200\"")
        .map(|(place, _)| place)
        .collect();
    let page = lasts
        .into_iter()
        .map(|place| place / 4096 * 4096)
        .rfind(|page| {
            let text = &bytes[*page..*page + 4096];
            text.windows(26)
                .any(|window| window == run.to_string().as_bytes())
        })
        .unwrap();
    bytes[page..page + 4096].fill(0);
    fs::write(&path, bytes).unwrap();
    let journal = SqliteJournal::open(&path).unwrap();
    let lease = journal.adopt(run, Epoch(0)).await.unwrap();
    let last = histories[1].last().unwrap();
    let event = Recorded {
        seq: last.seq.next(),
        epoch: lease.epoch(),
        ..last.clone()
    };
    // Both wait for the same commit: one is refused, the other one is not.
    let one = journal.adopt(histories[0][0].run, Epoch(0)).await.unwrap();
    let refused = journal.append(&lease, vec![Arc::new(event)]);
    let snapshot = Snapshot {
        seq: Seq(3),
        format: 1,
        state: vec![7],
    };
    let kept = journal.keep(&one, snapshot.clone());
    let refused = refused.await;
    kept.await.unwrap();
    assert_eq!(journal.snapshot(one.run()).await.unwrap(), Some(snapshot));
    drop(one);
    assert!(
        matches!(refused, Err(StoreError::DamagedRun { run: damaged, .. }) if damaged == run),
        "{refused:?}"
    );
    works(&journal, &histories[0]).await.unwrap();
}

#[tokio::test]
async fn a_truncated_file_is_refused() {
    let (_folder, path, history) = written().await;
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
        let error = match SqliteJournal::open(&path) {
            // Less than a page is missing: the run whose it was has lost an event.
            Ok(journal) => journal.load(history[0].run).await.unwrap_err(),
            Err(error) => error,
        };
        assert!(
            matches!(
                error,
                StoreError::Corrupt(_) | StoreError::Unusable { .. } | StoreError::DamagedRun { .. }
            ),
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
            supported: 2
        }
    ));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn histories_that_cannot_be_stop_their_run_alone() {
    let deletable = "DROP TRIGGER events_are_never_deleted; DROP TRIGGER events_are_never_changed;
                     DROP TRIGGER runs_only_go_forward; DROP TRIGGER clusters_only_go_forward;
                     PRAGMA foreign_keys = off;";
    for (sql, expected) in [
        (
            "DELETE FROM events WHERE place = (2 << 32) + 77",
            "event 77 is not in its place",
        ),
        (
            "DELETE FROM events WHERE place = (2 << 32) + 1",
            "event 1 is not in its place",
        ),
        ("DELETE FROM events WHERE place >> 32 = 2", "event 1 is missing"),
        (
            "DELETE FROM events WHERE place = (2 << 32) + 200",
            "event 200 is missing",
        ),
        (
            "UPDATE events SET body = replace(body, 'two', 'prod') WHERE place = (2 << 32) + 5;
             UPDATE events SET body = body || ' ' WHERE place = (2 << 32) + 5",
            "event 5 is not what was written",
        ),
        (
            "UPDATE events SET place = place + (5 << 32) WHERE place > (2 << 32) + 100 AND place < (3 << 32)",
            "event 101",
        ),
        (
            "UPDATE events SET epoch = 7 WHERE place = (2 << 32) + 9",
            "event 9 is not what was written",
        ),
    ] {
        let (_folder, path, histories) = three().await;
        tamper(&path, &format!("{deletable}{sql}"));
        let journal = SqliteJournal::open(&path).unwrap();
        let report = journal.verify().await.unwrap();
        assert!(
            report
                .findings
                .iter()
                .any(|finding| finding.what.contains(expected) || finding.what.contains("belong to no run")),
            "{sql}: {report:?}"
        );
        let run = histories[1][0].run;
        if !sql.contains("+ (5 << 32)") {
            let what = damage(&journal, run).await;
            assert!(what.contains(expected), "{sql}: {what}");
        }
        for history in [&histories[0], &histories[2]] {
            works(&journal, history).await.unwrap();
        }
    }
}

/// The rows of a run and of its cluster change, so that nothing but their digests can tell.
#[tokio::test]
async fn a_changed_row_of_a_run_or_a_cluster_stops_its_adoption_and_the_list_asks_the_events() {
    for sql in [
        "UPDATE clusters SET name = 'prod' WHERE number = 2",
        "UPDATE clusters SET epoch = 9 WHERE number = 2",
        "UPDATE clusters SET is_gone = 1 WHERE number = 2",
        "UPDATE runs SET created_at = '2020-01-01T00:00:00Z' WHERE number = 2",
        "UPDATE runs SET cluster = 1 WHERE number = 2",
        "UPDATE runs SET phase = 'succeeded' WHERE number = 2",
        "UPDATE runs SET phase = 'cheerful' WHERE number = 2",
        "UPDATE runs SET run = '01jd3k00000000000000000000' WHERE number = 2",
        "PRAGMA ignore_check_constraints = on; UPDATE runs SET generation = -3 WHERE number = 2",
    ] {
        let (_folder, path, histories) = three().await;
        let before = SqliteJournal::open(&path).unwrap().runs().await.unwrap();
        tamper(
            &path,
            &format!(
                "PRAGMA foreign_keys = off; DROP TRIGGER runs_only_go_forward; DROP TRIGGER clusters_only_go_forward; {sql}"
            ),
        );
        let journal = SqliteJournal::open(&path).unwrap();
        let mut after = journal.runs().await.unwrap();
        if sql.contains("is_gone") {
            // That the cluster is gone was said by its row alone.
            assert!(!after[1].owns_cluster);
            after[1].owns_cluster = true;
        }
        assert_eq!(after, before, "{sql}");
        let run = histories[1][0].run;
        let refused = journal.adopt(run, Epoch(0)).await;
        assert!(
            matches!(
                refused,
                Err(StoreError::DamagedRun { .. } | StoreError::UnknownRun { .. })
            ),
            "{sql}: {refused:?}"
        );
        assert!(!journal.verify().await.unwrap().findings.is_empty(), "{sql}");
        works(&journal, &histories[0]).await.unwrap();
        works(&journal, &histories[2]).await.unwrap();
    }
}

#[tokio::test]
async fn a_damaged_snapshot_is_none_and_the_history_says_the_same() {
    for sql in [
        "UPDATE snapshots SET state = x'0809'",
        "UPDATE snapshots SET seq = seq - 1",
        "UPDATE snapshots SET run = 1",
        "PRAGMA ignore_check_constraints = on; UPDATE snapshots SET seq = -3",
    ] {
        let (_folder, path, histories) = three().await;
        let run = histories[1][0].run;
        let journal = SqliteJournal::open(&path).unwrap();
        let lease = journal.adopt(run, Epoch(0)).await.unwrap();
        let snapshot = Snapshot {
            seq: Seq(150),
            format: 1,
            state: vec![8, 8],
        };
        let to_come = Snapshot {
            seq: Seq(201),
            ..snapshot.clone()
        };
        assert!(matches!(
            journal.keep(&lease, to_come).await,
            Err(StoreError::OutOfSequence { .. })
        ));
        journal.keep(&lease, snapshot.clone()).await.unwrap();
        assert_eq!(journal.snapshot(run).await.unwrap(), Some(snapshot));
        drop((journal, lease));
        tamper(&path, sql);
        let journal = SqliteJournal::open(&path).unwrap();
        for history in &histories {
            assert_eq!(journal.snapshot(history[0].run).await.unwrap(), None, "{sql}");
            works(&journal, history).await.unwrap();
        }
        assert!(!journal.verify().await.unwrap().findings.is_empty(), "{sql}");
    }
}

/// The index of the list of runs leads nowhere: the run is there all the same.
#[tokio::test]
async fn a_damaged_index_hides_no_run() {
    let (_folder, path, histories) = three().await;
    let run = histories[1][0].run.to_string();
    let mut bytes = fs::read(&path).unwrap();
    // The id stands in each event, in the row of the run and in the index: there it is followed by the number alone.
    let places: Vec<usize> = bytes
        .windows(26)
        .enumerate()
        .filter(|(_, window)| *window == run.as_bytes())
        .map(|(place, _)| place)
        .filter(|place| bytes[place / 4096 * 4096] == 10)
        .collect();
    let [place] = places[..] else { panic!("{places:?}") };
    bytes[place + 25] ^= 1;
    fs::write(&path, bytes).unwrap();
    let journal = SqliteJournal::open(&path).unwrap();
    assert_eq!(journal.load(histories[1][0].run).await.unwrap(), histories[1]);
    assert_eq!(journal.runs().await.unwrap().len(), 3);
    assert!(!journal.verify().await.unwrap().findings.is_empty());
    works(&journal, &histories[0]).await.unwrap();
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
    assert_eq!((mode.as_str(), version), ("wal", 2));
}
