//! Disks that are full, fail or must not be written to.

use std::path::Path;
use std::process::Command;

use mesosflow_journal::SqliteJournal;
use mesosflow_workflow::contract::{first, next};
use mesosflow_workflow::{Epoch, RunId, Store, StoreError};

use crate::child::{self, Process};

/// A file system in memory of a few hundred kilobytes, where this user may mount one.
struct Tiny {
    folder: tempfile::TempDir,
}

impl Tiny {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        mount(&["-t", "tmpfs", "-o", "size=512k", "tmpfs"], folder.path()).then_some(Self { folder })
    }

    fn remount(&self, options: &str) {
        assert!(mount(&["-o", &format!("remount,{options}")], self.folder.path()));
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.folder.path())
            .status();
    }
}

fn mount(arguments: &[&str], folder: &Path) -> bool {
    Command::new("mount")
        .args(arguments)
        .arg(folder)
        .status()
        .is_ok_and(|status| status.success())
}

#[tokio::test]
async fn a_full_disk_refuses_appends_keeps_what_was_acknowledged_and_recovers() {
    let Some(tiny) = Tiny::mount() else { return };
    let path = tiny.folder.path().join("journal.sqlite");
    let journal = SqliteJournal::open(&path).unwrap();
    let begin = first("demo");
    let lease = journal.create(begin.clone()).await.unwrap();
    let mut seq = 2;
    let refused = loop {
        match journal
            .append(&lease, vec![next(&begin, seq), next(&begin, seq + 1)])
            .await
        {
            Ok(()) => seq += 2,
            Err(error) => break error,
        }
        assert!(seq < 10_000, "the disk does not get full");
    };
    match refused {
        StoreError::Unusable { doing, source } => {
            assert_eq!(
                doing,
                format!("cannot append to the journal `{}`", path.display())
            );
            assert_eq!(
                source.to_string(),
                format!(
                    "the disk is full: 0 MiB are free in `{}`",
                    tiny.folder.path().display()
                )
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(journal.load(begin.run).await.unwrap().len() as u64, seq - 1);
    tiny.remount("size=4m");
    journal.append(&lease, vec![next(&begin, seq)]).await.unwrap();
    drop(journal);
    let journal = SqliteJournal::open(&path).unwrap();
    assert_eq!(journal.load(begin.run).await.unwrap().len() as u64, seq);
}

#[tokio::test]
async fn a_journal_on_a_read_only_disk_can_be_read_and_only_read() {
    let Some(tiny) = Tiny::mount() else { return };
    let path = tiny.folder.path().join("journal.sqlite");
    let begin = first("demo");
    drop(
        SqliteJournal::open(&path)
            .unwrap()
            .create(begin.clone())
            .await
            .unwrap(),
    );
    tiny.remount("ro");
    let journal = SqliteJournal::open_existing(&path).unwrap().unwrap();
    assert_eq!(journal.load(begin.run).await.unwrap().len(), 1);
    assert!(!journal.is_held(begin.run).await.unwrap());
    assert!(matches!(
        journal.adopt(begin.run, Epoch(0)).await,
        Err(StoreError::Unusable { .. })
    ));
    assert!(matches!(
        journal.create(first("other")).await,
        Err(StoreError::Unusable { .. })
    ));
    match SqliteJournal::open(&path) {
        Err(StoreError::Unusable { doing, .. }) => assert!(doing.contains("journal.sqlite"), "{doing}"),
        other => panic!("{other:?}"),
    }
}

impl Tiny {
    /// Writes until nothing more goes in.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.folder.path().join("filler")).unwrap();
        while std::io::Write::write_all(&mut file, &[7; 512]).is_ok() {}
    }
}

/// A journal of one run on `tiny`, with a log that nobody has taken over: its process was killed.
fn killed(tiny: &Tiny) -> (std::path::PathBuf, RunId) {
    let path = tiny.folder.path().join("journal.sqlite");
    let mut process = Process::start("processes::holds_a_run", &path);
    let run: RunId = process.next("run").unwrap().parse().unwrap();
    process.kill("run");
    assert!(
        std::fs::metadata(path.with_file_name("journal.sqlite-wal"))
            .unwrap()
            .len()
            > 0
    );
    (path, run)
}

/// What `status` and `list` need, on a disk where not even SQLite's index of the log finds room.
#[tokio::test]
async fn a_journal_on_a_full_disk_is_read_and_says_why_it_is_not_written_to() {
    for index_is_there in [true, false] {
        let Some(tiny) = Tiny::mount() else { return };
        let (path, run) = killed(&tiny);
        if !index_is_there {
            std::fs::remove_file(path.with_file_name("journal.sqlite-shm")).unwrap();
        }
        tiny.fill();
        let journal = SqliteJournal::open_existing(&path).unwrap().unwrap();
        assert_eq!(journal.runs().await.unwrap()[0].run, run);
        assert_eq!(journal.load(run).await.unwrap().len(), 1);
        assert!(!journal.is_held(run).await.unwrap());
        let refused = match journal.adopt(run, Epoch(0)).await {
            // There may be room for one line of text, and for one page in the log.
            Ok(lease) => loop {
                let begin = first("other");
                if let Err(error) = journal.create(begin).await {
                    drop(lease);
                    break error;
                }
            },
            Err(error) => error,
        };
        let StoreError::Unusable { source, .. } = refused else {
            panic!("{refused:?}")
        };
        assert!(source.to_string().starts_with("the disk is full"), "{source}");
        drop(journal);
        if !index_is_there {
            let Err(StoreError::Unusable { source, .. }) = SqliteJournal::open(&path) else {
                panic!("a journal was opened for writing on a full disk")
            };
            assert!(source.to_string().starts_with("the disk is full"), "{source}");
        }
        std::fs::remove_file(tiny.folder.path().join("filler")).unwrap();
        let journal = SqliteJournal::open(&path).unwrap();
        journal.adopt(run, Epoch(0)).await.unwrap();
    }
}

#[tokio::test]
async fn a_backup_to_a_full_disk_says_that_it_is_full_and_leaves_nothing() {
    let Some(tiny) = Tiny::mount() else { return };
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(folder.path().join("journal.sqlite")).unwrap();
    let begin = first("demo");
    let lease = journal.create(begin.clone()).await.unwrap();
    let events = (2..=2000).map(|seq| next(&begin, seq)).collect();
    journal.append(&lease, events).await.unwrap();
    let target = tiny.folder.path().join("backup");
    let Err(StoreError::Unusable { source, .. }) = journal.backup(&target).await else {
        panic!("a backup went onto a disk that is too small")
    };
    assert!(source.to_string().starts_with("the disk is full"), "{source}");
    assert_eq!(std::fs::read_dir(&target).unwrap().count(), 0);
}

#[tokio::test]
async fn a_new_journal_on_a_full_disk_says_that_it_is_full() {
    let Some(tiny) = Tiny::mount() else { return };
    tiny.fill();
    let Err(StoreError::Unusable { source, .. }) = SqliteJournal::open(tiny.folder.path().join("new.sqlite"))
    else {
        panic!("a journal was made on a full disk")
    };
    assert!(source.to_string().contains("the disk is full"), "{source}");
}

#[tokio::test]
async fn a_journal_of_an_older_schema_on_a_read_only_disk_can_be_read() {
    let Some(tiny) = Tiny::mount() else { return };
    let path = tiny.folder.path().join("v1.sqlite");
    let saved = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/journals/v1.sqlite");
    std::fs::copy(saved, &path).unwrap();
    let before = std::fs::read(&path).unwrap();
    // Neither of these lets a migration be written.
    for full in [true, false] {
        if full {
            tiny.fill();
        } else {
            tiny.remount("ro");
        }
        let journal = SqliteJournal::open_existing(&path).unwrap().unwrap();
        reads_the_older(&journal).await;
        drop(journal);
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

async fn reads_the_older(journal: &SqliteJournal) {
    let rows = journal.runs().await.unwrap();
    assert_eq!(
        rows.iter().map(|row| &*row.cluster).collect::<Vec<_>>(),
        ["demo", "lab"]
    );
    assert_eq!(journal.load(rows[1].run).await.unwrap().len(), 2);
    assert!(matches!(
        journal.adopt(rows[1].run, Epoch(0)).await,
        Err(StoreError::Unusable { .. })
    ));
}

/// Writing past a limit on the size of files fails as a broken disk does.
#[tokio::test]
async fn a_failing_write_stops_the_journal_and_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    // The signal would end the process: ignored, the write fails. Blocks of 512 bytes.
    let mut process = Process::start_under(
        "trap '' XFSZ; ulimit -f 400",
        "disk::appends_until_it_fails",
        &path,
    );
    let run: RunId = process.next("run").unwrap().parse().unwrap();
    let acknowledged: usize = process.next("acknowledged").unwrap().parse().unwrap();
    let refused = process.next("refused").unwrap();
    assert!(
        refused.contains("journal.sqlite") && refused.contains("I/O"),
        "{refused}"
    );
    assert_eq!(process.next("again").unwrap(), refused);
    process.join();
    let journal = SqliteJournal::open(&path).unwrap();
    assert!(journal.load(run).await.unwrap().len() >= acknowledged);
}

#[tokio::test]
#[ignore = "the child of the test above"]
async fn appends_until_it_fails() {
    let Some(path) = child::journal() else { return };
    let journal = SqliteJournal::open(path).unwrap();
    let begin = first("demo");
    let lease = journal.create(begin.clone()).await.unwrap();
    child::say("run", begin.run);
    let mut seq = 2;
    let text = |error: StoreError| match error {
        StoreError::Unusable { doing, source } => format!("{doing}: {source}"),
        other => format!("{other:?}"),
    };
    let refused = loop {
        match journal.append(&lease, vec![next(&begin, seq)]).await {
            Ok(()) => seq += 1,
            Err(error) => break text(error),
        }
        assert!(seq < 10_000, "no write fails");
    };
    child::say("acknowledged", seq - 1);
    child::say("refused", refused);
    let again = journal.append(&lease, vec![next(&begin, seq)]).await.unwrap_err();
    child::say("again", text(again));
}
