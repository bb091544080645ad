//! A journal that is deleted, moved, replaced or overwritten while a process writes to it: not one append more is
//! acknowledged, and what comes to its place is not harmed.

use std::fs;
use std::path::{Path, PathBuf};

use mesosflow_journal::SqliteJournal;
use mesosflow_workflow::contract::{first, next};
use mesosflow_workflow::{Epoch, RunId, Store, StoreError};

use crate::child::{self, Process};

/// A driver in a process of its own, after some acknowledged appends.
struct Driver {
    process: Process,
    run: RunId,
    acknowledged: usize,
}

impl Driver {
    fn start(path: &Path) -> Self {
        let mut process = Process::start("displaced::drives", path);
        let run = process.next("run").unwrap().parse().unwrap();
        let mut driver = Self {
            process,
            run,
            acknowledged: 1,
        };
        driver.append(5);
        driver
    }

    fn append(&mut self, times: usize) {
        for _ in 0..times {
            self.process.tell("append");
            assert_eq!(self.process.next("outcome").unwrap(), "acknowledged");
            self.acknowledged += 1;
        }
    }

    /// The refusal of an append, and of each after it; the process ends.
    fn refused(mut self) -> String {
        self.process.tell("append");
        let refusal = self.process.next("outcome").unwrap();
        assert!(refusal.starts_with("Misplaced"), "{refusal}");
        for _ in 0..3 {
            self.process.tell("append");
            assert_eq!(self.process.next("outcome").unwrap(), refusal);
        }
        self.process.tell("end");
        self.process.join();
        refusal
    }
}

#[tokio::test]
#[ignore = "the child of the tests below"]
async fn drives() {
    let Some(path) = child::journal() else { return };
    let journal = SqliteJournal::open(path).unwrap();
    let begin = first("demo");
    let lease = journal.create(begin.clone()).await.unwrap();
    child::say("run", begin.run);
    let mut seq = 2;
    while child::told().is_some_and(|line| line == "append") {
        match journal.append(&lease, vec![next(&begin, seq)]).await {
            Ok(()) => {
                seq += 1;
                child::say("outcome", "acknowledged");
            }
            Err(error) => child::say("outcome", format!("{error:?}")),
        }
    }
}

async fn length(path: &Path, run: RunId) -> usize {
    let journal = SqliteJournal::open_existing(path).unwrap().unwrap();
    let length = journal.load(run).await.unwrap().len();
    assert!(journal.verify().await.unwrap().findings.is_empty());
    length
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    (folder, path)
}

/// A copy of a journal that is in use, made as it should be.
fn backup(path: &Path) -> PathBuf {
    let backup = path.with_file_name("backup.sqlite");
    rusqlite::Connection::open(path)
        .unwrap()
        .execute("VACUUM INTO ?1", [backup.to_str().unwrap()])
        .unwrap();
    backup
}

#[tokio::test]
async fn a_deleted_journal_acknowledges_nothing_more() {
    let (folder, path) = folder();
    let driver = Driver::start(&path);
    fs::remove_file(&path).unwrap();
    let refusal = driver.refused();
    assert!(refusal.contains("was deleted while it was in use"), "{refusal}");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing is left that could pass for a log"
    );
}

#[tokio::test]
async fn a_moved_journal_stops_its_run_and_is_complete_where_it_is() {
    for back in [false, true] {
        let (folder, path) = folder();
        let driver = Driver::start(&path);
        let (run, acknowledged) = (driver.run, driver.acknowledged);
        let other = folder.path().join("other");
        fs::create_dir(&other).unwrap();
        let moved = other.join("moved.sqlite");
        fs::rename(&path, &moved).unwrap();
        let refusal = driver.refused();
        assert!(
            refusal.contains("was moved to") && refusal.contains("moved.sqlite"),
            "{refusal}"
        );
        let now = if back { &path } else { &moved };
        if back {
            fs::rename(&moved, &path).unwrap();
        }
        assert!(length(now, run).await >= acknowledged);
        let journal = SqliteJournal::open(now).unwrap();
        assert_eq!(journal.adopt(run, Epoch(0)).await.unwrap().epoch(), Epoch(2));
    }
}

#[tokio::test]
async fn a_moved_folder_stops_its_run_too() {
    let (folder, path) = folder();
    let state = folder.path().join("state");
    let path = state.join(path.file_name().unwrap());
    let driver = Driver::start(&path);
    let (run, acknowledged) = (driver.run, driver.acknowledged);
    let moved = folder.path().join("moved");
    fs::rename(&state, &moved).unwrap();
    driver.refused();
    assert!(length(&moved.join("journal.sqlite"), run).await >= acknowledged);
}

#[tokio::test]
async fn a_backup_in_the_place_of_a_journal_in_use_stops_the_run_and_is_not_harmed() {
    let (_folder, path) = folder();
    let mut driver = Driver::start(&path);
    let (run, kept) = (driver.run, driver.acknowledged);
    let backup = backup(&path);
    driver.append(700);
    fs::rename(backup, &path).unwrap();
    // The driver has not noticed yet, and its log is still beside the file.
    match SqliteJournal::open_existing(&path) {
        Err(StoreError::Misplaced { what, remedy, .. }) => {
            assert!(
                what.contains("in the place of another one that is still in use"),
                "{what}"
            );
            assert!(
                what.contains(&format!("pid {} on", driver.process.pid())),
                "{what}"
            );
            assert!(!remedy.is_empty());
        }
        other => panic!("{other:?}"),
    }
    let refusal = driver.refused();
    assert!(
        refusal.contains("was deleted while it was in use, and another file is in its place"),
        "{refusal}"
    );
    assert_eq!(length(&path, run).await, kept);
}

#[tokio::test]
async fn a_backup_after_a_deletion_is_not_harmed_by_what_is_left() {
    let (_folder, path) = folder();
    let mut driver = Driver::start(&path);
    let (run, kept) = (driver.run, driver.acknowledged);
    let backup = backup(&path);
    driver.append(700);
    fs::remove_file(&path).unwrap();
    driver.refused();
    fs::rename(backup, &path).unwrap();
    assert_eq!(length(&path, run).await, kept);
}

#[tokio::test]
async fn a_journal_that_is_overwritten_in_place_stops_its_run_and_stays_as_it_was_written() {
    let (_folder, path) = folder();
    let mut driver = Driver::start(&path);
    let (run, kept) = (driver.run, driver.acknowledged);
    let backup = backup(&path);
    // Until more of the log has been taken over into the file than the backup has.
    let size = |path: &Path| fs::metadata(path).unwrap().len();
    while size(&path) <= size(&backup) {
        driver.append(100);
    }
    fs::copy(backup, &path).unwrap();
    let refusal = driver.refused();
    assert!(
        refusal.contains("was overwritten while it was in use"),
        "{refusal}"
    );
    assert_eq!(length(&path, run).await, kept);
}

#[tokio::test]
async fn a_log_that_is_deleted_or_replaced_stops_the_run() {
    for name in ["journal.sqlite-wal", "journal.sqlite-shm"] {
        for is_replaced in [false, true] {
            let (folder, path) = folder();
            let driver = Driver::start(&path);
            let (run, acknowledged) = (driver.run, driver.acknowledged);
            let file = folder.path().join(name);
            let aside = folder.path().join("aside");
            fs::rename(&file, &aside).unwrap();
            if is_replaced {
                fs::copy(&aside, &file).unwrap();
            }
            let refusal = driver.refused();
            assert!(refusal.contains(name), "{refusal}");
            assert!(length(&path, run).await >= acknowledged);
        }
    }
}

#[tokio::test]
async fn a_copy_is_a_journal_of_its_own() {
    let (folder, path) = folder();
    let mut driver = Driver::start(&path);
    let copy = folder.path().join("copy.sqlite");
    fs::rename(backup(&path), &copy).unwrap();
    let journal = SqliteJournal::open(&copy).unwrap();
    journal.adopt(driver.run, Epoch(0)).await.unwrap();
    driver.append(1);
}

#[tokio::test]
async fn what_is_read_of_a_deleted_journal_is_no_news() {
    let (_folder, path) = folder();
    let journal = SqliteJournal::open(&path).unwrap();
    journal.runs().await.unwrap();
    fs::remove_file(&path).unwrap();
    assert!(matches!(journal.runs().await, Err(StoreError::Misplaced { .. })));
}
