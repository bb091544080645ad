//! Journals that cannot be used: exit code 4, and they stay as they are.

use crate::support::{Bench, FIRST};

const READERS: [&[&str]; 6] = [
    &["list"],
    &["status"],
    &["events"],
    &["logs"],
    &["resume", "01"],
    &["run", "--mesos-source", "none"],
];

#[test]
fn a_damaged_journal_is_refused_and_not_touched() {
    let bench = Bench::new();
    for garbage in [
        &b"this is no database, whatever its name says"[..],
        &b"SQLite format 3\0 and then nothing"[..],
    ] {
        std::fs::write(bench.journal_path(), garbage).unwrap();
        for command in READERS {
            bench.run(command).refused(4, &["journal", "hint:"]);
            assert_eq!(
                std::fs::read(bench.journal_path()).unwrap(),
                garbage,
                "{command:?}"
            );
        }
    }
}

#[test]
fn a_journal_with_a_damaged_page_is_refused() {
    let bench = Bench::new();
    bench.finished(FIRST, "demo");
    let mut bytes = std::fs::read(bench.journal_path()).unwrap();
    assert!(bytes.len() > 8192, "the journal is not all in its file");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 2048].fill(0xa5);
    std::fs::write(bench.journal_path(), &bytes).unwrap();
    bench.run(&["resume", FIRST]).refused(4, &["journal", "hint:"]);
}

#[test]
fn a_newer_journal_is_refused_and_not_touched() {
    let bench = Bench::new();
    bench.finished(FIRST, "demo");
    rusqlite::Connection::open(bench.journal_path())
        .unwrap()
        .pragma_update(None, "user_version", 999)
        .unwrap();
    let before = std::fs::read(bench.journal_path()).unwrap();
    for command in READERS {
        bench
            .run(command)
            .refused(4, &["the journal is in format 999", "use the newer mesosflow"]);
    }
    assert_eq!(std::fs::read(bench.journal_path()).unwrap(), before);
}

#[test]
fn a_folder_in_the_journals_place_is_refused() {
    let bench = Bench::new();
    std::fs::create_dir(bench.journal_path()).unwrap();
    bench
        .run_creating_nothing(&["list"])
        .refused(4, &["cannot open the journal"]);
}
