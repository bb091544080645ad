//! Looking after a journal: `journal check`, `backup`, `restore`, `export`; what one damaged run does to the others; runs of the
//! first format.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Bench, FIRST, SECOND};

/// One letter of one event is another now.
fn damage(bench: &Bench, run: &str) {
    let journal = rusqlite::Connection::open(bench.journal_path()).unwrap();
    let triggers: Vec<String> = journal
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'events'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for trigger in triggers {
        journal.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
    }
    let changed = journal
        .execute(
            "UPDATE events SET body = replace(body, 'not needed', 'not kneaded') WHERE run = ?1 AND seq = 3",
            [run],
        )
        .unwrap();
    assert_eq!(changed, 1);
}

#[test]
fn a_whole_journal_is_told_to_be_whole() {
    let bench = Bench::new();
    bench
        .run(&["journal", "check"])
        .refused(2, &["there is no journal"]);
    bench.finished(FIRST, "demo");
    let report = bench.run(&["journal", "check", "--json"]).json();
    assert_eq!(
        (&report["runs"], &report["findings"]),
        (&1.into(), &serde_json::json!([]))
    );
    assert!(report["events"].as_u64().unwrap() >= 5);
}

#[test]
fn a_damaged_run_stops_itself_alone() {
    let bench = Bench::new();
    bench.finished(FIRST, "demo");
    bench.finished(SECOND, "other");
    damage(&bench, FIRST);

    let check = bench.run(&["journal", "check"]);
    assert_eq!(check.code, 4, "{check:?}");
    assert!(
        check.out.contains(FIRST) && !check.out.contains(SECOND),
        "{check:?}"
    );
    assert!(check.err.contains("destroy"), "{check:?}");

    assert_eq!(bench.run(&["list", "--json"]).json().as_array().unwrap().len(), 2);
    assert_eq!(bench.run(&["status", SECOND]).code, 0);
    for command in ["status", "resume"] {
        bench
            .run(&[command, FIRST])
            .refused(4, &[FIRST, "damaged", "destroy"]);
    }
    let events = bench.run(&["events", FIRST]);
    assert_eq!(events.code, 4);
    assert_eq!(
        events
            .out
            .lines()
            .take_while(|line| !line.contains("-- damaged"))
            .count(),
        2,
        "what is before the damage is shown: {events:?}"
    );
}

#[test]
fn a_backup_put_back_is_the_journal_with_its_keys() {
    let bench = Bench::new();
    bench.finished(FIRST, "demo");
    let keys = bench.path("runs").join(FIRST);
    std::fs::create_dir_all(&keys).unwrap();
    // As programs of before have left it.
    std::fs::write(keys.join("cluster_ed25519"), "a key").unwrap();
    std::fs::create_dir_all(bench.path("clusters/of-this")).unwrap();
    bench.write("clusters/of-this/cluster_ed25519", "another key");
    let before = bench.run(&["events", "--json", FIRST]).out;

    bench.write("taken", "something");
    std::fs::create_dir(bench.path("full")).unwrap();
    bench.write("full/thing", "something");
    bench
        .run(&["journal", "backup", "full"])
        .refused(2, &["not empty"]);
    let made = bench.run(&["journal", "backup", "copy"]);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.err.contains("private keys"), "{made:?}");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&bench.path("copy")), 0o700);
    let copied = bench
        .path("copy")
        .join("runs")
        .join(FIRST)
        .join("cluster_ed25519");
    assert_eq!(mode(&copied), 0o600);
    assert_eq!(mode(&bench.path("copy/clusters/of-this/cluster_ed25519")), 0o600);

    bench
        .run(&["journal", "restore", "copy"])
        .refused(3, &["there is a journal"]);
    for file in ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"] {
        let _absent = std::fs::remove_file(bench.path(file));
    }
    std::fs::remove_dir_all(bench.path("runs")).unwrap();
    std::fs::remove_dir_all(bench.path("clusters")).unwrap();
    bench
        .run(&["journal", "restore", "nothing"])
        .refused(4, &["nothing"]);
    assert!(!bench.journal_path().exists());
    let restored = bench.run(&["journal", "restore", "copy"]);
    assert_eq!(restored.code, 0, "{restored:?}");
    assert_eq!(bench.run(&["events", "--json", FIRST]).out, before);
    assert_eq!(
        std::fs::read_to_string(keys.join("cluster_ed25519")).unwrap(),
        "a key"
    );
    assert_eq!(
        std::fs::read_to_string(bench.path("clusters/of-this/cluster_ed25519")).unwrap(),
        "another key"
    );
    assert_eq!(bench.run(&["journal", "export"]).out, before);
}

#[test]
fn a_run_of_the_first_format_is_shown_and_not_driven() {
    let bench = Bench::new();
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/journals/v1.sqlite");
    std::fs::copy(old, bench.journal_path()).unwrap();
    let runs = bench.run(&["list", "--json"]).json();
    assert_eq!(runs.as_array().unwrap().len(), 2);
    assert_eq!(runs[1]["state"], "crashed");
    let run = runs[1]["run"].as_str().unwrap();
    let status = bench.run(&["status", run, "--json"]).json();
    assert_eq!(status["workflow"], "deploy");
    assert!(status["hint"].as_str().unwrap().contains("destroy"), "{status}");
    let before = bench.events(run);
    bench.run(&["resume", run]).refused(3, &["format 1", "destroy"]);
    let first = status["steps"][0]["id"].as_str().unwrap();
    bench
        .run(&["replay", run, "--from", first, "--yes"])
        .refused(3, &["format 1", "destroy"]);
    assert_eq!(bench.events(run), before);
}
