//! Damage is contained: a run that is damaged in the journal can be destroyed, and whatever else is asked goes on.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::{Bench, FIRST, SECOND, Said, said};

/// An engine with one cluster, of which nothing is left once it has been deleted.
const ENGINE: &str = r#"#!/bin/sh
while :; do case "$1" in --*) shift 2 ;; *) break ;; esac; done
things="$HOME/engine"
case "$1 $2" in
  "info "*) echo '{}' ;;
  "ps "*) ls "$things/container" ;;
  "network ls") ls "$things/network" ;;
  *" inspect")
    test -e "$things/$1/$3" || { echo "no such $1" >&2; exit 125; }
    run=$(cat "$things/$1/$3")
    printf '[{"labels":{"org.mesosflow.run":"%s","org.mesosflow.cluster":"demo"}}]' "$run" ;;
  "rm "*) rm "$things/container/$4" ;;
  "network rm") rm "$things/network/$3" ;;
  *) echo "unknown: $*" >&2; exit 1 ;;
esac
"#;

/// A journal with two finished runs, and an engine that has two containers and a network of the first one.
pub(crate) fn with_engine() -> Bench {
    let bench = Bench::new();
    for (kind, name) in [
        ("container", "demo-master-1"),
        ("container", "demo-slave-1"),
        ("network", "demo-net"),
    ] {
        std::fs::create_dir_all(bench.path("engine").join(kind)).unwrap();
        bench.write(&format!("engine/{kind}/{name}"), FIRST);
    }
    std::fs::create_dir(bench.path("bin")).unwrap();
    bench.write("bin/podman", ENGINE);
    let program = bench.path("bin/podman");
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    bench.finished(FIRST, "demo");
    bench.finished(SECOND, "other");
    bench
}

/// The program, which finds that engine and no other.
pub(crate) fn with_path(bench: &Bench, args: &[&str]) -> std::process::Command {
    let mut command = bench.command(args);
    command.env("PATH", format!("{}:/usr/bin:/bin", bench.path("bin").display()));
    command
}

pub(crate) fn run_with_engine(bench: &Bench, args: &[&str]) -> Said {
    said(with_path(bench, args).output().unwrap())
}

/// Changes a journal as no code of ours would; `RUN` stands for the first run.
fn overwrite(bench: &Bench, sql: &str) {
    let journal = rusqlite::Connection::open(bench.journal_path()).unwrap();
    let triggers: Vec<(String, String)> = journal
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    journal
        .execute_batch("PRAGMA foreign_keys = off; PRAGMA ignore_check_constraints = on")
        .unwrap();
    for (name, _) in &triggers {
        journal.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    journal
        .execute_batch(&sql.replace("RUN", &format!("'{FIRST}'")))
        .unwrap();
    for (_, sql) in &triggers {
        journal.execute_batch(sql).unwrap();
    }
}

/// Things of the cluster that are left.
fn left(bench: &Bench) -> usize {
    let files = bench.files().into_iter().filter(|file| file.is_file());
    files
        .filter(|file| file.starts_with(bench.path("engine")))
        .count()
}

fn destroys_once(bench: &Bench, how: &[&str], case: &str) {
    let mut args = vec!["destroy", "--yes", "--json"];
    args.extend(how);
    let destroyed = run_with_engine(bench, &args);
    assert_eq!(destroyed.code, 0, "{case}: {destroyed:?}");
    let destroyed = destroyed.json();
    assert_eq!(
        destroyed["deleted"].as_array().unwrap().len(),
        3,
        "{case}: {destroyed}"
    );
    assert_eq!(left(bench), 0, "{case}");
    let listed = bench.run(&["list", "--json"]).json();
    let mut listed = listed.as_array().unwrap().iter();
    let listed = listed.find(|run| run["run"] == FIRST).unwrap();
    assert_eq!(
        (&listed["destroyed"], &listed["cluster"]),
        (&true.into(), &"demo".into()),
        "{case}"
    );
    let again = run_with_engine(bench, &["destroy", FIRST, "--yes"]);
    assert_eq!(again.code, 0, "{case}: {again:?}");
    assert!(again.out.contains("nothing is left"), "{case}: {again:?}");
    // The name is free.
    bench.finished("01jd3k00000000000000000003", "demo");
}

/// What comes to exist after a run was destroyed, since a call outlived its driver, is found and ended.
#[test]
fn a_destroyed_run_is_looked_at_each_time() {
    let bench = with_engine();
    let destroyed = run_with_engine(&bench, &["destroy", FIRST, "--yes"]);
    assert_eq!(destroyed.code, 0, "{destroyed:?}");
    assert!(
        destroyed
            .out
            .contains("podman for containers and networks with the label"),
        "{destroyed:?}"
    );
    let again = run_with_engine(&bench, &["destroy", FIRST]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(
        again.out.contains("nothing is left of cluster `demo`"),
        "{again:?}"
    );
    assert!(again.out.contains("podman for containers"), "{again:?}");

    bench.write("engine/container/demo-slave-2", FIRST);
    let asks = run_with_engine(&bench, &["destroy", FIRST]);
    asks.refused(3, &["cluster `demo`", "1 × instance", "--yes"]);
    assert_eq!(left(&bench), 1, "it was not agreed to");
    let ended = run_with_engine(&bench, &["destroy", FIRST, "--yes", "--json"]).json();
    assert_eq!(ended["deleted"][0]["id"], "demo-slave-2", "{ended}");
    assert!(ended["asked"].as_str().unwrap().contains("podman"), "{ended}");
    assert_eq!(left(&bench), 0);
}

const FIRST_EVENT: &str =
    "UPDATE events SET body = replace(body, 'demo', 'dema') WHERE run = RUN AND seq = 1";
const THIRD_EVENT: &str =
    "UPDATE events SET body = replace(body, 'not needed', 'not kneaded') WHERE run = RUN AND seq = 3";

#[test]
fn a_run_that_has_lost_its_beginning_is_destroyed_by_its_tags() {
    let bench = with_engine();
    overwrite(&bench, FIRST_EVENT);
    run_with_engine(&bench, &["destroy", FIRST]).refused(3, &["event 1 is not what was written", "--yes"]);
    assert_eq!(left(&bench), 3);
    destroys_once(&bench, &[FIRST], "the first event");
}

#[test]
fn a_run_that_is_damaged_anywhere_else_is_destroyed() {
    for (sql, how) in [
        (THIRD_EVENT, FIRST),
        ("UPDATE runs SET digest = x'00' WHERE run = RUN", FIRST),
        (
            "UPDATE runs SET created_at = CAST(x'ff' AS TEXT) WHERE run = RUN",
            FIRST,
        ),
        (
            "UPDATE runs SET run = 'x' || substr(run, 2) WHERE run = RUN",
            "demo",
        ),
        ("UPDATE clusters SET name = 'dema' WHERE name = 'demo'", "demo"),
        (
            "UPDATE clusters SET provider = 'lobal' WHERE name = 'demo'",
            FIRST,
        ),
        (
            "UPDATE clusters SET id = 'x' || substr(id, 2) WHERE name = 'demo'",
            FIRST,
        ),
        ("UPDATE clusters SET epoch = 77 WHERE name = 'demo'", "demo"),
    ] {
        let bench = with_engine();
        overwrite(&bench, sql);
        let how: &[&str] = if how == FIRST {
            &[FIRST]
        } else {
            &["--cluster", how]
        };
        destroys_once(&bench, how, sql);
    }
}

#[test]
fn a_region_that_is_lost_is_not_guessed() {
    let bench = with_engine();
    overwrite(&bench, FIRST_EVENT);
    let changed = "UPDATE clusters SET provider = 'ec2' WHERE name = 'demo'";
    overwrite(&bench, changed);
    let refused = run_with_engine(&bench, &["destroy", FIRST, "--yes"]);
    refused.refused(
        4,
        &[
            "region",
            "list --orphans --provider ec2 --region REGION --journal",
        ],
    );
    assert!(!refused.err.contains("mesosflow destroy"), "{refused:?}");
    assert_eq!(left(&bench), 3);
}

#[test]
fn orphans_are_told_by_what_is_listed_of_a_damaged_run() {
    let bench = with_engine();
    overwrite(&bench, THIRD_EVENT);
    let orphans = run_with_engine(&bench, &["list", "--orphans", "--provider", "local", "--json"]).json();
    assert_eq!(orphans, serde_json::json!([]));
}

#[test]
fn what_is_whole_behind_the_damage_is_shown_and_exported() {
    let bench = with_engine();
    let all = bench.run(&["journal", "export"]).out;
    overwrite(&bench, THIRD_EVENT);
    let without: Vec<&str> = all
        .lines()
        .filter(|line| !(line.contains(FIRST) && line.contains("\"seq\":3,")))
        .collect();
    assert_eq!(without.len() + 1, all.lines().count());
    let exported = bench.run(&["journal", "export"]);
    assert_eq!(exported.code, 4, "{exported:?}");
    assert_eq!(exported.out.lines().collect::<Vec<_>>(), without);
    let events = bench.run(&["events", FIRST, "--json"]);
    assert_eq!(events.code, 4);
    let marked: Vec<bool> = events
        .out
        .lines()
        .map(|line| line.contains("\"behind_damage\":true"))
        .collect();
    assert_eq!(marked[..3], [false, false, true], "{events:?}");
    let plain = bench.run(&["events", FIRST]);
    assert!(
        plain.out.contains("-- damaged: event 3 is not what was written"),
        "{plain:?}"
    );
}

#[test]
fn the_figures_are_those_of_the_others() {
    let bench = with_engine();
    overwrite(&bench, THIRD_EVENT);
    let told = bench.run(&["metrics"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(
        told.err.contains("warning: ") && told.err.contains(FIRST),
        "{told:?}"
    );
    for line in [
        "mesosflow_runs{workflow=\"deploy\",state=\"succeeded\"} 2\n",
        "mesosflow_runs_damaged 1\n",
        "mesosflow_nodes{cluster=\"other\",provider=\"local\",role=\"master\"} 0\n",
    ] {
        assert!(told.out.contains(line), "{line} {told:?}");
    }
    assert!(!told.out.contains("cluster=\"demo\""), "{told:?}");
}

#[test]
fn hints_name_the_journal_that_is_not_the_default() {
    let bench = with_engine();
    overwrite(&bench, THIRD_EVENT);
    let journal = format!("--journal {}", bench.journal_path().display());
    bench.run(&["status", FIRST]).refused(
        4,
        &[
            &format!("`mesosflow destroy {FIRST} {journal}`"),
            &format!("`mesosflow journal check {journal}`"),
        ],
    );
}

#[test]
fn a_log_that_is_left_keeps_a_backup_from_being_put_back() {
    let bench = with_engine();
    assert_eq!(bench.run(&["journal", "backup", "copy"]).code, 0);
    std::fs::remove_file(bench.journal_path()).unwrap();
    bench.write("journal.sqlite-wal", "of the journal that was here");
    let refused = bench.run(&["journal", "restore", "copy"]);
    refused.refused(3, &["journal.sqlite-wal", "move it away too"]);
    assert!(!refused.err.contains("writable"), "{refused:?}");
    std::fs::remove_file(bench.path("journal.sqlite-wal")).unwrap();
    assert_eq!(bench.run(&["journal", "restore", "copy"]).code, 0);
}

/// A process that ends with its test, whatever ends that.
struct Bound(Child);

impl Bound {
    fn start(command: &Command) -> Self {
        let mut bound = Command::new("setpriv");
        bound
            .args(["--pdeathsig", "KILL"])
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => bound.env(name, value),
                None => bound.env_remove(name),
            };
        }
        let folder = command.get_current_dir().unwrap();
        bound
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        Self(bound.spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.0.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    fn is_stopped(&self) -> bool {
        let stat = Path::new("/proc").join(self.0.id().to_string()).join("stat");
        std::fs::read_to_string(stat).unwrap().contains(") T ")
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

#[test]
fn who_waits_for_the_journal_says_so_and_one_that_is_stopped_is_not_waited_for() {
    let bench = with_engine();
    let other = rusqlite::Connection::open(bench.journal_path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut waiting = Bound::start(&with_path(&bench, &["destroy", FIRST, "--yes"]));
    let mut told = BufReader::new(waiting.0.stderr.take().unwrap()).lines();
    let line = told.find(|line| {
        line.as_ref()
            .unwrap()
            .contains("another process has been writing")
    });
    assert!(line.is_some(), "it ended without a word");

    waiting.signal("-STOP");
    while !waiting.is_stopped() {
        std::thread::yield_now();
    }
    let refused = run_with_engine(&bench, &["destroy", FIRST, "--yes"]);
    refused.refused(3, &["which is stopped", "kill -CONT", "kill -9", "hint: "]);
    assert!(
        !refused.err.contains("Ctrl-C") && !refused.err.contains("wait until"),
        "{refused:?}"
    );

    waiting.signal("-CONT");
    other.execute_batch("ROLLBACK").unwrap();
    // Its standard error is read to its end, so that it can write there.
    let _rest = told.count();
    assert!(waiting.0.wait().unwrap().success());
    assert_eq!(left(&bench), 0);
}
