//! Who may read a journal: its owner.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use mesosflow_journal::SqliteJournal;
use mesosflow_workflow::contract::first;
use mesosflow_workflow::{Epoch, Store, StoreError};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn every_file_is_the_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/mesosflow/journal.sqlite");
    let journal = SqliteJournal::open(&path).unwrap();
    let begin = first("demo");
    let _lease = journal.create(begin.clone()).await.unwrap();
    for file in ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"] {
        assert_eq!(mode(&path.with_file_name(file)), 0o600, "{file}");
    }
    for made in [folder.path().join("state"), folder.path().join("state/mesosflow")] {
        assert_eq!(mode(&made), 0o700, "{made:?}");
    }
    let files = fs::read_dir(path.parent().unwrap()).unwrap();
    assert_eq!(files.count(), 3, "nothing else is beside it");
}

#[tokio::test]
async fn an_existing_journal_that_others_can_read_is_restricted_and_its_folder_is_not() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let path = folder.path().join("journal.sqlite");
    let journal = SqliteJournal::open(&path).unwrap();
    let _lease = journal.create(first("demo")).await.unwrap();
    let names = ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"];
    for name in names {
        fs::set_permissions(folder.path().join(name), Permissions::from_mode(0o664)).unwrap();
    }
    let second = SqliteJournal::open_existing(&path).unwrap().unwrap();
    for name in names {
        assert_eq!(mode(&folder.path().join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(folder.path()), 0o755);
    drop(second);
}

#[tokio::test]
async fn a_journal_that_does_not_exist_is_not_made_by_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/journal.sqlite");
    assert!(SqliteJournal::open_existing(&path).unwrap().is_none());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn two_names_of_a_journal_have_the_same_locks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let journal = SqliteJournal::open(&path).unwrap();
    let begin = first("demo");
    let _lease = journal.create(begin.clone()).await.unwrap();
    let link = folder.path().join("link.sqlite");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let linked = SqliteJournal::open(&link).unwrap();
    assert!(matches!(
        linked.adopt(begin.run, Epoch(0)).await,
        Err(StoreError::Held { .. })
    ));
}
