//! Which file a journal is: its locks go by the file and not by its path, and it is used under one path at a time.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use mesosflow_journal::SqliteJournal;
use mesosflow_workflow::contract::{first, next};
use mesosflow_workflow::{Epoch, Lease, RunId, Store, StoreError};

use crate::child::{self, Process};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    (folder, path)
}

/// A process that has the journal open and a run leased.
fn holder(path: &Path) -> (Process, RunId) {
    let mut process = Process::start("identity::holds", path);
    let run = process.next("run").unwrap().parse().unwrap();
    (process, run)
}

#[tokio::test]
#[ignore = "a child of the tests below"]
async fn holds() {
    let Some(path) = child::journal() else { return };
    let journal = SqliteJournal::open(path).unwrap();
    let begin = first("demo");
    let _lease = journal.create(begin.clone()).await.unwrap();
    child::say("run", begin.run);
    while child::told().is_some() {}
}

/// What is wrong with opening `path`, for this process and for another, for writers and for readers.
fn refused(path: &Path) -> String {
    let whats = [
        SqliteJournal::open(path).map(|_| ()),
        SqliteJournal::open_existing(path).map(|_| ()),
    ]
    .map(|outcome| match outcome {
        Err(StoreError::Misplaced { what, remedy, .. }) => {
            assert!(!remedy.is_empty());
            what
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(whats[0], whats[1]);
    let mut process = Process::start("identity::opens", path);
    let theirs = process.next("opened").unwrap();
    process.join();
    assert!(theirs.starts_with("Err(Misplaced"), "{theirs}");
    whats[0].clone()
}

#[tokio::test]
#[ignore = "a child of the tests below"]
async fn opens() {
    let Some(path) = child::journal() else { return };
    let opened = SqliteJournal::open(path);
    child::say("opened", format!("{:?}", opened.map(|_| ())));
}

#[tokio::test]
async fn a_journal_with_two_names_is_refused_by_either() {
    let (folder, path) = folder();
    drop(SqliteJournal::open(&path).unwrap());
    let link = folder.path().join("link.sqlite");
    fs::hard_link(&path, &link).unwrap();
    for name in [&path, &link] {
        let what = refused(name);
        assert!(what.contains("2 names (hard links)"), "{what}");
    }
    fs::remove_file(link).unwrap();
    SqliteJournal::open(&path).unwrap();
}

#[tokio::test]
async fn a_hard_link_to_a_journal_in_use_is_refused_and_ends_nothing() {
    let (folder, path) = folder();
    let journal = SqliteJournal::open(&path).unwrap();
    let begin = first("demo");
    let lease = journal.create(begin.clone()).await.unwrap();
    let link = folder.path().join("link.sqlite");
    fs::hard_link(&path, &link).unwrap();
    refused(&link);
    journal.append(&lease, vec![next(&begin, 2)]).await.unwrap();
}

#[tokio::test]
async fn a_journal_that_was_renamed_in_use_is_refused_under_its_new_name() {
    let (folder, path) = folder();
    let moved = folder.path().join("moved.sqlite");
    let (process, run) = holder(&path);
    fs::rename(&path, &moved).unwrap();
    let what = refused(&moved);
    assert!(what.contains("is in use under another path"), "{what}");
    assert!(what.contains(&format!("pid {} on", process.pid())), "{what}");
    fs::rename(&moved, &path).unwrap();
    let journal = SqliteJournal::open(&path).unwrap();
    assert!(journal.is_held(run).await.unwrap());
    process.kill("run");
    journal.adopt(run, Epoch(0)).await.unwrap();
}

#[tokio::test]
async fn two_paths_in_one_process_are_refused_as_in_two() {
    let (folder, path) = folder();
    let moved = folder.path().join("moved.sqlite");
    let journal = SqliteJournal::open(&path).unwrap();
    fs::rename(&path, &moved).unwrap();
    refused(&moved);
    drop(journal);
    SqliteJournal::open(&moved).unwrap();
}

#[expect(
    clippy::print_stderr,
    reason = "a test that was left out is not one that passed"
)]
fn skipped() {
    eprintln!("SKIPPED: this user may not mount anything");
}

#[tokio::test]
async fn a_journal_that_is_mounted_elsewhere_is_refused_there_while_it_is_in_use() {
    let (folder, path) = folder();
    let other = folder.path().join("other.sqlite");
    let (process, run) = holder(&path);
    fs::write(&other, "").unwrap();
    let mut elsewhere = Process::start_mounted(&path, &other, "identity::opens", &other);
    let Some(opened) = elsewhere.next("opened") else {
        return skipped();
    };
    elsewhere.join();
    assert!(opened.starts_with("Err(Misplaced"), "{opened}");
    assert!(opened.contains("is in use under another path"), "{opened}");
    assert!(opened.contains(&format!("pid {} on", process.pid())), "{opened}");
    process.kill("run");
    let journal = SqliteJournal::open(&path).unwrap();
    journal.adopt(run, Epoch(0)).await.unwrap();
}

#[tokio::test]
async fn a_folder_that_is_mounted_twice_has_one_journal_with_one_lock() {
    let (folder, _) = folder();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    fs::create_dir(&one).unwrap();
    fs::create_dir(&two).unwrap();
    let elsewhere = two.join("journal.sqlite");
    let mut process = Process::start_mounted(&one, &two, "identity::holds", &elsewhere);
    let Some(run) = process.next("run") else {
        return skipped();
    };
    let journal = SqliteJournal::open(one.join("journal.sqlite")).unwrap();
    assert!(matches!(
        journal.adopt(run.parse().unwrap(), Epoch(0)).await,
        Err(StoreError::Held { .. })
    ));
}

#[tokio::test]
async fn of_many_processes_that_adopt_a_run_one_wins_and_no_asking_disturbs_it() {
    const PROCESSES: usize = 20;
    let (_folder, path) = folder();
    let journal = SqliteJournal::open(&path).unwrap();
    let begin = first("demo");
    drop(journal.create(begin.clone()).await.unwrap());
    fs::write(path.with_extension("run"), begin.run.to_string()).unwrap();
    let mut processes: Vec<Process> = (0..PROCESSES)
        .map(|_| Process::start("identity::races", &path))
        .collect();
    for process in &mut processes {
        process.next("ready").unwrap();
    }
    for _ in 0..3 {
        for process in &mut processes {
            process.tell("adopt");
        }
        let outcomes: Vec<String> = processes
            .iter_mut()
            .map(|process| process.next("outcome").unwrap())
            .collect();
        let winners: Vec<usize> = (0..processes.len()).filter(|at| outcomes[*at] == "won").collect();
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        assert!(
            outcomes
                .iter()
                .all(|outcome| outcome == "won" || outcome == "held"),
            "{outcomes:?}"
        );
        // Its end frees the run at once.
        processes.remove(winners[0]).kill("outcome");
        assert!(!journal.is_held(begin.run).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a child of the test above"]
async fn races() {
    let Some(path) = child::journal() else { return };
    let run: RunId = fs::read_to_string(path.with_extension("run"))
        .unwrap()
        .parse()
        .unwrap();
    let journal = std::sync::Arc::new(SqliteJournal::open(path).unwrap());
    let asking = journal.clone();
    tokio::spawn(async move { while asking.is_held(run).await.is_ok() {} });
    child::say("ready", "");
    let mut lease: Option<Lease> = None;
    while child::told().is_some() {
        let outcome = match journal.adopt(run, Epoch(0)).await {
            Ok(won) => {
                lease = Some(won);
                "won".to_owned()
            }
            Err(StoreError::Held { .. }) => "held".to_owned(),
            Err(other) => format!("{other:?}"),
        };
        child::say("outcome", outcome);
    }
    drop(lease);
}

#[tokio::test]
async fn a_stopped_driver_keeps_its_run_and_the_refusal_says_how_to_end_it() {
    let (_folder, path) = folder();
    let (process, run) = holder(&path);
    let pid = process.pid();
    let status = Command::new("kill").args(["-STOP", &pid.to_string()]).status();
    assert!(status.unwrap().success());
    let stat = format!("/proc/{pid}/stat");
    while !fs::read_to_string(&stat).unwrap().contains(") T ") {
        std::thread::yield_now();
    }
    let journal = SqliteJournal::open(&path).unwrap();
    match journal.adopt(run, Epoch(0)).await {
        Err(StoreError::Held {
            holder: Some(holder), ..
        }) => {
            assert!(holder.starts_with(&format!("pid {pid} on ")), "{holder}");
            assert!(holder.contains("is stopped"), "{holder}");
            assert!(holder.contains(&format!("kill -9 {pid}")), "{holder}");
        }
        other => panic!("{other:?}"),
    }
    process.kill("run");
    journal.adopt(run, Epoch(0)).await.unwrap();
}

#[tokio::test]
async fn what_a_driver_has_started_does_not_hold_its_run_after_it() {
    let (_folder, path) = folder();
    let mut process = Process::start("identity::starts_another", &path);
    let run: RunId = process.next("run").unwrap().parse().unwrap();
    let other = process.next("started").unwrap();
    process.kill("run");
    let journal = SqliteJournal::open(&path).unwrap();
    let adopted = journal.adopt(run, Epoch(0)).await;
    assert!(Path::new("/proc").join(&other).exists());
    let _ = Command::new("kill").arg(&other).status();
    adopted.unwrap();
}

#[tokio::test]
#[ignore = "the child of the test above"]
async fn starts_another() {
    let Some(path) = child::journal() else { return };
    let journal = SqliteJournal::open(path).unwrap();
    let begin = first("demo");
    let _lease = journal.create(begin.clone()).await.unwrap();
    child::say("run", begin.run);
    let mut other = Command::new("sleep")
        .arg("60")
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    child::say("started", other.id());
    while child::told().is_some() {}
    let _ = other.kill();
    let _ = other.wait();
}

/// Whether SQLite holds its lock of a reader on the file in this process, as the kernel has it: a list that others change while it is read
/// may lack what is there all the while, and is read again.
fn is_locked_by_sqlite(path: &Path) -> bool {
    (0..100).any(|_| lists_lock(path))
}

fn lists_lock(path: &Path) -> bool {
    let locks = fs::read_to_string("/proc/locks").unwrap();
    let (process, inode) = (std::process::id(), fs::metadata(path).unwrap().ino());
    locks.lines().any(|lock| {
        // 3: POSIX  ADVISORY  READ 4242 fe:00:10092680 1073741826 1073742335
        let fields: Vec<&str> = lock.split_whitespace().collect();
        fields.get(1) == Some(&"POSIX")
            && fields.get(4) == Some(&process.to_string().as_str())
            && fields
                .get(5)
                .is_some_and(|file| file.ends_with(&format!(":{inode}")))
            && fields.get(6) == Some(&"1073741826")
    })
}

/// Closing any descriptor of the file drops SQLite's locks on it. Without them another process may take itself for the last
/// one and delete the log.
#[tokio::test]
async fn sqlites_own_locks_survive_that_a_journal_is_opened_and_closed_again() {
    let (folder, path) = folder();
    let journal = SqliteJournal::open(&path).unwrap();
    let begin = first("demo");
    let lease = journal.create(begin.clone()).await.unwrap();
    let link = folder.path().join("link.sqlite");
    let moved = folder.path().join("moved.sqlite");
    assert!(is_locked_by_sqlite(&path));
    drop(SqliteJournal::open(&path).unwrap());
    assert!(is_locked_by_sqlite(&path), "after a second handle");
    drop(SqliteJournal::open_existing(&path).unwrap());
    assert!(is_locked_by_sqlite(&path), "after a reader");
    fs::hard_link(&path, &link).unwrap();
    assert!(SqliteJournal::open(&link).is_err());
    fs::remove_file(&link).unwrap();
    assert!(is_locked_by_sqlite(&path), "after the refusal of a hard link");
    fs::rename(&path, &moved).unwrap();
    assert!(SqliteJournal::open(&moved).is_err());
    fs::rename(&moved, &path).unwrap();
    assert!(is_locked_by_sqlite(&path), "after the refusal of a second path");
    journal.is_held(begin.run).await.unwrap();
    assert!(journal.adopt(begin.run, Epoch(0)).await.is_err());
    journal.append(&lease, vec![next(&begin, 2)]).await.unwrap();
    assert!(journal.verify().await.unwrap().findings.is_empty());
    assert!(is_locked_by_sqlite(&path), "after its use");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_write_while_handles_come_and_go_and_nothing_is_lost() {
    let (_folder, path) = folder();
    let journal = SqliteJournal::open(&path).unwrap();
    let begin = first("ours");
    let lease = journal.create(begin.clone()).await.unwrap();
    let mut process = Process::start("processes::writes_a_run", &path);
    let theirs: RunId = process.next("run").unwrap().parse().unwrap();
    let stop = AtomicBool::new(false);
    let opened = std::thread::scope(|scope| {
        let opening = scope.spawn(|| {
            let mut opened = 0;
            while !stop.load(Ordering::Relaxed) {
                drop(SqliteJournal::open(&path).unwrap());
                opened += 1;
            }
            opened
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        scope
            .spawn(move || {
                for seq in 2..=301 {
                    runtime
                        .block_on(journal.append(&lease, vec![next(&begin, seq)]))
                        .unwrap();
                }
            })
            .join()
            .unwrap();
        process.join();
        stop.store(true, Ordering::Relaxed);
        opening.join().unwrap()
    });
    assert!(opened > 0);
    let journal = SqliteJournal::open(&path).unwrap();
    assert!(journal.verify().await.unwrap().findings.is_empty());
    let mut lengths = Vec::new();
    for row in journal.runs().await.unwrap() {
        lengths.push(journal.load(row.run).await.unwrap().len());
    }
    assert_eq!(lengths, [301, 301]);
    assert!(journal.load(theirs).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opening_is_one_file_or_the_other_while_two_change_places() {
    let (folder, path) = folder();
    let other = folder.path().join("other.sqlite");
    let mut runs = Vec::new();
    for journal in [&path, &other] {
        let begin = first("demo");
        let journal = SqliteJournal::open(journal).unwrap();
        journal.create(begin.clone()).await.unwrap();
        runs.push(begin.run);
    }
    let stop = AtomicBool::new(false);
    let outcomes = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                nix::fcntl::renameat2(
                    nix::fcntl::AT_FDCWD,
                    &path,
                    nix::fcntl::AT_FDCWD,
                    &other,
                    nix::fcntl::RenameFlags::RENAME_EXCHANGE,
                )
                .unwrap();
                std::thread::yield_now();
            }
        });
        let opened = path.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let outcomes = scope
            .spawn(move || {
                (0..200)
                    .map(|_| {
                        SqliteJournal::open(&opened).and_then(|journal| runtime.block_on(journal.runs()))
                    })
                    .collect::<Vec<_>>()
            })
            .join();
        stop.store(true, Ordering::Relaxed);
        outcomes.unwrap()
    });
    for outcome in outcomes {
        match outcome {
            Ok(found) => assert!(found.len() == 1 && runs.contains(&found[0].run), "{found:?}"),
            Err(StoreError::Misplaced { .. } | StoreError::Unusable { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    for journal in [&path, &other] {
        let journal = SqliteJournal::open(journal).unwrap();
        assert!(journal.verify().await.unwrap().findings.is_empty());
    }
}
