//! A process that is killed: what it was told to be durable is there, and its runs are free.

use std::sync::Arc;

use mesosflow_journal::SqliteJournal;
use mesosflow_workflow::contract::{first, next};
use mesosflow_workflow::{Epoch, RunId, Store};

use crate::child::{self, Process};

#[tokio::test]
async fn every_acknowledged_event_survives_a_kill_and_the_run_is_free_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    for round in 0..4 {
        let mut process = Process::start("crash::appends_until_it_is_killed", &path);
        let run: RunId = process.next("run").unwrap().parse().unwrap();
        let mut acknowledged: Vec<u64> = (0..100 + 40 * round)
            .map(|_| process.next("ack").unwrap().parse().unwrap())
            .collect();
        acknowledged.extend(
            process
                .kill("ack")
                .iter()
                .filter_map(|seq| seq.parse::<u64>().ok()),
        );

        let journal = SqliteJournal::open_existing(&path).unwrap().unwrap();
        assert!(!journal.is_held(run).await.unwrap());
        let lease = journal.adopt(run, Epoch(0)).await.unwrap();
        assert_eq!(lease.epoch(), Epoch(2));
        let numbers: Vec<u64> = journal
            .load(run)
            .await
            .unwrap()
            .iter()
            .map(|recorded| recorded.seq.0)
            .collect();
        assert!(numbers.iter().copied().eq(1..=numbers.len() as u64));
        let newest = acknowledged.iter().max().unwrap();
        assert!(
            numbers.last() >= Some(newest),
            "{newest} was acknowledged and is lost"
        );
        journal.retire(&lease).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of the test above"]
async fn appends_until_it_is_killed() {
    let Some(path) = child::journal() else { return };
    let journal = Arc::new(SqliteJournal::open(path).unwrap());
    let begin = first("demo");
    let lease = Arc::new(journal.create(begin.clone()).await.unwrap());
    child::say("run", begin.run);
    let seq = Arc::new(tokio::sync::Mutex::new(2));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (journal, lease, begin, seq) = (journal.clone(), lease.clone(), begin.clone(), seq.clone());
        tasks.spawn(async move {
            loop {
                let (last, append) = {
                    let mut seq = seq.lock().await;
                    let append = journal.append(&lease, vec![next(&begin, *seq), next(&begin, *seq + 1)]);
                    *seq += 2;
                    (*seq - 1, append)
                };
                append.await.unwrap();
                child::say("ack", last);
            }
        });
    }
    tasks.join_all().await;
}

#[tokio::test]
async fn an_append_whose_future_is_dropped_is_written_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let begin = first("demo");
    {
        let journal = SqliteJournal::open(&path).unwrap();
        let lease = journal.create(begin.clone()).await.unwrap();
        for seq in 2..50 {
            drop(journal.append(&lease, vec![next(&begin, seq)]));
        }
        let unpolled = journal.append(&lease, vec![next(&begin, 50)]);
        // Dropping the journal waits for what was submitted, polled or not.
        drop(journal);
        drop(unpolled);
    }
    let journal = SqliteJournal::open(&path).unwrap();
    assert_eq!(journal.load(begin.run).await.unwrap().len(), 50);
}

#[test]
fn an_outcome_can_be_awaited_after_its_journal_is_closed_and_on_any_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let begin = first("demo");
    let journal = SqliteJournal::open(folder.path().join("journal.sqlite")).unwrap();
    let build = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let lease = build().block_on(journal.create(begin.clone())).unwrap();
    let append = journal.append(&lease, vec![next(&begin, 2)]);
    drop(journal);
    build().block_on(append).unwrap();
}
