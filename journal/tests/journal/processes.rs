//! Several processes with one journal.

use std::time::Duration;

use mesosflow_journal::SqliteJournal;
use mesosflow_workflow::contract::{first, next};
use mesosflow_workflow::{Epoch, RunId, Store, StoreError};

use crate::child::{self, Process};

#[tokio::test]
async fn a_run_that_another_process_drives_is_refused_at_once_with_its_holder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let mut process = Process::start("processes::holds_a_run", &path);
    let run: RunId = process.next("run").unwrap().parse().unwrap();

    let journal = SqliteJournal::open(&path).unwrap();
    assert!(journal.is_held(run).await.unwrap());
    // The other process holds it for as long as this one lives: what waited for it would wait for ever.
    match journal.adopt(run, Epoch(0)).await {
        Err(StoreError::Held {
            run: held,
            holder: Some(holder),
        }) => {
            assert_eq!(held, run);
            assert!(
                holder.starts_with(&format!("pid {} on ", process.pid())),
                "{holder}"
            );
        }
        other => panic!("{other:?}"),
    }
    process.kill("run");
    journal.adopt(run, Epoch(0)).await.unwrap();
}

#[tokio::test]
#[ignore = "the child of the test above"]
async fn holds_a_run() {
    let Some(path) = child::journal() else { return };
    let journal = SqliteJournal::open(path).unwrap();
    let begin = first("demo");
    let _lease = journal.create(begin.clone()).await.unwrap();
    child::say("run", begin.run);
    child::until_parent_ends();
}

#[tokio::test]
async fn two_processes_write_their_runs_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let mut process = Process::start("processes::writes_a_run", &path);
    let theirs: RunId = process.next("run").unwrap().parse().unwrap();
    let ours = write_a_run(&path, "ours").await;
    process.join();
    let journal = SqliteJournal::open(&path).unwrap();
    for run in [ours, theirs] {
        assert_eq!(journal.load(run).await.unwrap().len(), 301);
    }
}

#[tokio::test]
#[ignore = "the child of the test above"]
async fn writes_a_run() {
    let Some(path) = child::journal() else { return };
    write_a_run(&path, "theirs").await;
}

async fn write_a_run(path: &std::path::Path, cluster: &str) -> RunId {
    let journal = SqliteJournal::open(path).unwrap();
    let begin = first(cluster);
    let lease = journal.create(begin.clone()).await.unwrap();
    child::say("run", begin.run);
    for seq in 2..=301 {
        journal.append(&lease, vec![next(&begin, seq)]).await.unwrap();
    }
    begin.run
}

#[tokio::test]
async fn many_open_a_new_journal_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let opened: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| SqliteJournal::open(&path)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for journal in opened {
        journal
            .unwrap()
            .create(first(&RunId::generate().to_string()))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn reading_waits_for_no_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let journal = SqliteJournal::open(&path).unwrap();
    let begin = first("demo");
    let _lease = journal.create(begin.clone()).await.unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("BEGIN IMMEDIATE; UPDATE clusters SET epoch = 9")
        .unwrap();
    // The other one is not through with writing until this is over.
    let reader = SqliteJournal::open_existing(&path).unwrap().unwrap();
    assert_eq!(reader.load(begin.run).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_append_waits_until_another_process_has_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let journal = SqliteJournal::open(&path).unwrap();
    let begin = first("demo");
    let lease = journal.create(begin.clone()).await.unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let append = tokio::spawn(journal.append(&lease, vec![next(&begin, 2)]));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!append.is_finished());
    other.execute_batch("ROLLBACK").unwrap();
    append.await.unwrap().unwrap();
}
