//! The log beside the journal: it stays short, whoever reads meanwhile.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mesosflow_journal::SqliteJournal;
use mesosflow_workflow::contract::{first, next};
use mesosflow_workflow::{Epoch, RunId, Seq, Snapshot, Store};

/// One transaction after the other, each as long as a reader of a page needs at worst.
fn reads_all_the_time(path: &Path, stop: &AtomicBool) {
    let reader = rusqlite::Connection::open(path).unwrap();
    while !stop.load(Ordering::Relaxed) {
        reader.execute_batch("BEGIN; SELECT count(*) FROM runs").unwrap();
        std::thread::sleep(Duration::from_millis(20));
        reader.execute_batch("COMMIT").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_stays_short_while_one_reader_follows_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let journal = SqliteJournal::open(&path).unwrap();
    let begin = first("demo");
    let lease = journal.create(begin.clone()).await.unwrap();
    let stop = AtomicBool::new(false);
    let mut longest = 0;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| reads_all_the_time(&path, &stop));
        }
        let written = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            written.block_on(async {
                // 64 MiB go through the log.
                for seq in 2..=1024 {
                    let snapshot = Snapshot {
                        seq: Seq(seq),
                        format: 1,
                        state: vec![7; 64 << 10],
                    };
                    journal.append(&lease, vec![next(&begin, seq)]).await.unwrap();
                    journal.keep(&lease, snapshot).await.unwrap();
                    let log = std::fs::metadata(path.with_file_name("journal.sqlite-wal")).unwrap();
                    longest = longest.max(log.len());
                }
            });
        });
        stop.store(true, Ordering::Relaxed);
    });
    assert!(longest < 24 << 20, "{} MiB", longest >> 20);
    assert_eq!(journal.load(begin.run).await.unwrap().len(), 1024);
}

#[tokio::test]
async fn a_closed_journal_leaves_no_log_to_those_who_still_have_it_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let journal = SqliteJournal::open(&path).unwrap();
    let other = SqliteJournal::open(&path).unwrap();
    let begin = first("demo");
    let run: RunId = begin.run;
    drop(journal.create(begin).await.unwrap());
    drop(journal);
    let log = std::fs::metadata(path.with_file_name("journal.sqlite-wal")).unwrap();
    assert_eq!(log.len(), 0);
    other.adopt(run, Epoch(0)).await.unwrap();
}
