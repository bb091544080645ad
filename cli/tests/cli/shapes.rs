//! What scripts read: the JSON of `list`, `status` and `events`.

use std::io::Read;
use std::process::Stdio;

use mesosflow_workflow::Recorded;

use crate::support::{Bench, FIRST, SECOND};

fn keys(value: &serde_json::Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn status_and_list_have_the_promised_fields_and_words() {
    let bench = Bench::new();
    bench.finished(FIRST, "one");
    let journal = bench.journal();
    let run = bench.begin(&journal, SECOND, "two");
    let state = || bench.run(&["status", "--json"]).json()["state"].clone();
    assert_eq!(state(), "running");
    drop(run);
    assert_eq!(state(), "crashed");

    let list = bench.run(&["list", "--json"]).json();
    let runs = list.as_array().unwrap();
    assert_eq!(runs.len(), 2);
    for run in runs {
        for key in [
            "run",
            "cluster",
            "provider",
            "state",
            "generation",
            "started_at",
            "finished_at",
        ] {
            assert!(keys(run).contains(&key), "{key} is missing in {run}");
        }
    }
    assert_eq!(
        (&runs[0]["state"], &runs[1]["finished_at"]),
        (&"succeeded".into(), &serde_json::Value::Null)
    );

    let status = bench.run(&["status", "--json", FIRST]).json();
    for key in [
        "run",
        "cluster",
        "provider",
        "state",
        "generation",
        "started_at",
        "finished_at",
        "steps",
        "nodes",
    ] {
        assert!(keys(&status).contains(&key), "{key} is missing in {status}");
    }
    let step = &status["steps"][0];
    for key in [
        "id",
        "notes",
        "state",
        "generation",
        "attempts",
        "started_at",
        "finished_at",
        "duration_ms",
        "items",
    ] {
        assert!(keys(step).contains(&key), "{key} is missing in {step}");
    }
    assert_eq!(
        (&step["state"], &step["reason"]),
        (&"skipped".into(), &"not needed here".into())
    );
    assert!(!keys(step).contains(&"error"));
}

#[test]
fn each_event_is_an_object_on_a_line_as_the_journal_has_it() {
    let bench = Bench::new();
    bench.finished(FIRST, "one");
    let said = bench.run(&["events", "--json"]);
    let events: Vec<Recorded> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<_> = events.iter().map(|recorded| recorded.event.kind()).collect();
    assert_eq!(
        kinds,
        [
            "run_started",
            "step_skipped",
            "step_skipped",
            "step_skipped",
            "run_succeeded"
        ]
    );
    assert_eq!(
        events.iter().map(|recorded| recorded.seq.0).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5]
    );
    let first: serde_json::Value = serde_json::from_str(said.out.lines().next().unwrap()).unwrap();
    assert!(first["at"].as_str().unwrap().ends_with('Z'));
    let told = bench.run(&["events"]).out;
    assert!(
        told.lines()
            .nth(1)
            .unwrap()
            .ends_with("render-config skipped: not needed here"),
        "{told}"
    );
}

#[test]
fn following_ends_with_the_process_that_holds_the_run() {
    let bench = Bench::new();
    let journal = bench.journal();
    let run = bench.begin(&journal, FIRST, "one");
    let mut follower = bench
        .command(&["events", "--follow"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    bench.drive(&run, 3);
    drop(run);
    let mut told = String::new();
    follower.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(follower.wait().unwrap().success());
    assert!(told.trim_end().ends_with("run succeeded"), "{told}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let bench = Bench::new();
    bench.finished(FIRST, "one");
    for args in [
        &["events"][..],
        &["status"],
        &["list"],
        &["steps"],
        &["events", "--json"],
        &["status", "--json"],
    ] {
        let mut child = bench
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!(
            (child.wait().unwrap().code(), err.as_str()),
            (Some(0), ""),
            "{args:?}"
        );
    }
}
