//! Copies of a journal: whole or not there, the owner's alone, and put back only where there is none.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mesosflow_journal::{BACKUP_NAME, SqliteJournal, backup_folder, restore};
use mesosflow_workflow::contract::{first, next};
use mesosflow_workflow::{Epoch, Lease, Recorded, Store, StoreError};

use crate::child::{self, Process};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A journal with a run of a few events, open.
async fn journal(folder: &Path) -> (PathBuf, SqliteJournal, Arc<Recorded>, Lease) {
    let path = folder.join("state/journal.sqlite");
    let journal = SqliteJournal::open(&path).unwrap();
    let begin = first("demo");
    let lease = journal.create(begin.clone()).await.unwrap();
    let events = (2..=50).map(|seq| next(&begin, seq)).collect();
    journal.append(&lease, events).await.unwrap();
    (path, journal, begin, lease)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_a_run_goes_on_is_one_moment_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (_path, journal, begin, lease) = journal(folder.path()).await;
    let journal = Arc::new(journal);
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let writes = tokio::spawn({
        let (journal, begin) = (journal.clone(), begin.clone());
        async move {
            let mut seq = 51;
            while !*stopped.borrow_and_update() {
                journal
                    .append(&lease, vec![next(&begin, seq), next(&begin, seq + 1)])
                    .await
                    .unwrap();
                seq += 2;
            }
            seq - 1
        }
    });
    let mut lengths = Vec::new();
    for round in 0..5 {
        let target = folder.path().join(format!("backup-{round}/new"));
        let backup = journal.backup(&target).await.unwrap();
        assert_eq!(backup.report.findings, []);
        assert_eq!(backup.path, target.join(BACKUP_NAME));
        assert_eq!(entries(&target), [BACKUP_NAME]);
        assert_eq!((mode(&backup.path), mode(&target)), (0o600, 0o700));
        let copy = SqliteJournal::open_existing(&backup.path).unwrap().unwrap();
        assert_eq!(copy.id(), journal.id());
        let history = copy.load(begin.run).await.unwrap();
        assert_eq!(backup.report.events, history.len() as u64);
        // Each append has two: a moment between them would show.
        assert_eq!(history.len() % 2, 0);
        lengths.push(history.len() as u64);
    }
    stop.send(true).unwrap();
    let last = writes.await.unwrap();
    assert!(
        lengths.is_sorted() && lengths[0] >= 50 && lengths[4] <= last,
        "{lengths:?} of {last}"
    );
    assert_eq!(journal.load(begin.run).await.unwrap().len() as u64, last);
}

#[tokio::test]
async fn a_folder_with_something_in_it_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (_path, journal, ..) = journal(folder.path()).await;
    let target = folder.path().join("backup");
    fs::create_dir(&target).unwrap();
    fs::set_permissions(&target, Permissions::from_mode(0o755)).unwrap();
    fs::write(target.join("notes.txt"), "mine").unwrap();
    match journal.backup(&target).await {
        Err(StoreError::Unusable { source, .. }) => assert_eq!(source.to_string(), "the folder is not empty"),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        (entries(&target), mode(&target)),
        (vec!["notes.txt".to_owned()], 0o755)
    );
    fs::remove_file(target.join("notes.txt")).unwrap();
    journal.backup(&target).await.unwrap();
    assert_eq!(mode(&target), 0o700);
}

#[tokio::test]
async fn a_killed_backup_leaves_nothing_under_the_final_name_that_is_not_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (path, journal, ..) = journal(folder.path()).await;
    drop(journal);
    for round in 0..4 {
        let mut process = Process::start("backup::backs_up_until_it_is_killed", &path);
        for _ in 0..round {
            process.next("made").unwrap();
        }
        process.kill("made");
    }
    let mut whole = 0;
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        let copy = entry.unwrap().path().join(BACKUP_NAME);
        if copy.exists() {
            let copy = SqliteJournal::open_existing(&copy).unwrap().unwrap();
            let report = copy.verify().await.unwrap();
            assert_eq!((report.findings, report.events), (Vec::new(), 50));
            whole += 1;
        }
    }
    assert!(whole >= 6, "{whole}");
}

#[tokio::test]
#[ignore = "the child of the test above"]
async fn backs_up_until_it_is_killed() {
    let Some(path) = child::journal() else { return };
    let journal = SqliteJournal::open(&path).unwrap();
    for round in 0.. {
        let name = format!("backup-{}-{round}", std::process::id());
        journal.backup(&path.with_file_name(name)).await.unwrap();
        child::say("made", round);
    }
}

#[tokio::test]
async fn a_restored_journal_is_the_one_that_was_backed_up_and_replaces_none() {
    let folder = tempfile::tempdir().unwrap();
    let (path, journal, begin, lease) = journal(folder.path()).await;
    let (id, history) = (journal.id().to_owned(), journal.load(begin.run).await.unwrap());
    let target = folder.path().join("backup");
    journal.backup(&target).await.unwrap();
    match restore(&target, &path) {
        Err(StoreError::Unusable { source, .. }) => {
            assert!(source.to_string().contains("already"), "{source}")
        }
        other => panic!("{other:?}"),
    }
    drop((journal, lease));

    let elsewhere = folder.path().join("other/state/journal.sqlite");
    let report = restore(&target, &elsewhere).unwrap();
    assert_eq!((report.runs, report.events, report.findings), (1, 50, Vec::new()));
    assert_eq!(
        (mode(&elsewhere), entries(elsewhere.parent().unwrap())),
        (0o600, vec![BACKUP_NAME.to_owned()])
    );
    let restored = SqliteJournal::open(&elsewhere).unwrap();
    assert_eq!(restored.id(), id);
    assert_eq!(restored.load(begin.run).await.unwrap(), history);
    assert_eq!(
        restored.adopt(begin.run, Epoch(0)).await.unwrap().epoch(),
        Epoch(2)
    );
}

#[tokio::test]
async fn what_is_no_whole_backup_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (_path, journal, ..) = journal(folder.path()).await;
    let target = folder.path().join("backup");
    journal.backup(&target).await.unwrap();
    let copy = target.join(BACKUP_NAME);
    let whole = fs::read(&copy).unwrap();
    let journal = folder.path().join("new.sqlite");
    let refused = |why: &str| {
        let error = restore(&target, &journal).unwrap_err();
        assert!(!journal.exists(), "{why}");
        assert_eq!(entries(folder.path()), ["backup", "state"], "{why}");
        error
    };
    fs::write(&copy, &whole[..whole.len() / 2]).unwrap();
    refused("half of it");
    let mut damaged = whole.clone();
    damaged[4096 * 2..4096 * 6].fill(7);
    fs::write(&copy, &damaged).unwrap();
    refused("damaged tables");
    fs::write(&copy, "").unwrap();
    refused("an empty file");
    fs::remove_file(&copy).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &copy).unwrap();
    refused("a link");
    fs::rename(&copy, target.join("journal.sqlite.part")).unwrap();
    refused("half a backup");
}

#[tokio::test]
async fn a_backup_of_an_older_schema_is_restored_and_migrates() {
    let folder = tempfile::tempdir().unwrap();
    let saved = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/journals/v1.sqlite");
    fs::copy(saved, folder.path().join(BACKUP_NAME)).unwrap();
    let path = folder.path().join("state/journal.sqlite");
    assert_eq!(restore(folder.path(), &path).unwrap().runs, 2);
    let journal = SqliteJournal::open(&path).unwrap();
    assert_eq!(journal.runs().await.unwrap().len(), 2);
}

#[test]
fn a_folders_files_are_copied_for_the_owner_and_links_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("runs"), folder.path().join("copy"));
    fs::create_dir_all(from.join("a/deep")).unwrap();
    for (name, mode) in [("a/key", 0o600), ("a/deep/known_hosts", 0o644)] {
        fs::write(from.join(name), name).unwrap();
        fs::set_permissions(from.join(name), Permissions::from_mode(mode)).unwrap();
    }
    std::os::unix::fs::symlink("/etc/passwd", from.join("a/link")).unwrap();
    std::os::unix::fs::symlink("/etc", from.join("folder")).unwrap();
    let copied = backup_folder(&from, &to).unwrap();
    assert_eq!((copied.files, copied.skipped.len()), (2, 2));
    assert_eq!(entries(&to), ["a"]);
    assert_eq!(entries(&to.join("a")), ["deep", "key"]);
    for name in ["a/key", "a/deep/known_hosts"] {
        assert_eq!(fs::read_to_string(to.join(name)).unwrap(), name);
        assert_eq!(mode(&to.join(name)), 0o600);
    }
    assert_eq!(mode(&to.join("a/deep")), 0o700);
    assert!(backup_folder(&from, &to).is_err(), "a copy was written over");
    assert_eq!(backup_folder(&folder.path().join("none"), &to).unwrap().files, 0);
}
