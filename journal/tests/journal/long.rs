//! A long history costs those who go on with it no more than a short one.

use std::sync::Arc;

use mesosflow_journal::SqliteJournal;
use mesosflow_workflow::contract::{first, next};
use mesosflow_workflow::{Epoch, Recorded, RunId, Seq, Snapshot, Store};

use crate::child::{self, Process};

const EVENTS: u64 = 40_000;

#[tokio::test]
async fn a_long_history_is_gone_on_with_without_being_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let journal = SqliteJournal::open(&path).unwrap();
    let begin = first("demo");
    let lease = journal.create(begin.clone()).await.unwrap();
    for seq in (2..=EVENTS).step_by(500) {
        let events = (seq..=EVENTS).take(500).map(|seq| next(&begin, seq)).collect();
        journal.append(&lease, events).await.unwrap();
    }
    let snapshot = Snapshot {
        seq: Seq(EVENTS - 500),
        format: 1,
        state: vec![7; 64 << 10],
    };
    journal.keep(&lease, snapshot).await.unwrap();
    drop((journal, lease));
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(size > 10 << 20, "{size} bytes are too few to tell");

    let mut process = Process::start("long::goes_on_with_a_long_history", &path);
    let read: u64 = process.next("read").unwrap().parse().unwrap();
    process.join();
    assert!(read < 2 << 20, "{read} of {size} bytes were read");
    let journal = SqliteJournal::open(&path).unwrap();
    assert_eq!(journal.load(begin.run).await.unwrap().len() as u64, EVENTS + 1);
}

/// What `status` and the first action of `resume` do.
#[tokio::test]
#[ignore = "the child of the test above"]
async fn goes_on_with_a_long_history() {
    let Some(path) = child::journal() else { return };
    let before = bytes_read();
    let journal = SqliteJournal::open(path).unwrap();
    let row = journal.runs().await.unwrap().remove(0);
    assert_eq!(row.summary.seq, Seq(EVENTS));
    let run: RunId = row.run;
    let snapshot = journal.snapshot(run).await.unwrap().unwrap();
    let tail = journal.read(run, snapshot.seq, 512).await.unwrap();
    let last = tail.last().unwrap();
    assert_eq!(last.seq, Seq(EVENTS));
    let lease = journal.adopt(run, Epoch(0)).await.unwrap();
    let event = Recorded {
        seq: last.seq.next(),
        epoch: lease.epoch(),
        ..last.clone()
    };
    journal.append(&lease, vec![Arc::new(event)]).await.unwrap();
    child::say("read", bytes_read() - before);
}

/// What this process has read from files so far.
fn bytes_read() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.unwrap().parse().unwrap()
}
