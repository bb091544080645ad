//! What is refused for the state that a run is in: exit code 3, and its history stays as it is.

use crate::support::{Bench, FIRST, said};

#[test]
fn a_finished_run_is_not_resumed_but_can_be_replayed() {
    let bench = Bench::new();
    bench.finished(FIRST, "demo");
    let before = bench.events(FIRST);
    for args in [&["resume", "01jd3k"][..], &["resume", "--last"]] {
        bench.run(args).refused(
            3,
            &[
                "has succeeded",
                "there is nothing to resume",
                "mesosflow replay",
                "--from",
            ],
        );
    }
    assert_eq!(bench.events(FIRST), before);
}

#[test]
fn a_live_run_is_refused_at_once_with_the_process_that_holds_it() {
    let bench = Bench::new();
    let journal = bench.journal();
    let _held = bench.begin(&journal, FIRST, "demo");
    let pid = format!("pid {}", std::process::id());
    for args in [
        &["resume", FIRST][..],
        &["replay", "--from", "render-config"],
        &["destroy", FIRST, "--yes"],
    ] {
        // This process holds it all the while: what waited for it would not come back.
        bench
            .run(args)
            .refused(3, &["is held by another process", &pid, "hint:"]);
    }
    assert_eq!(bench.run(&["status", "--json"]).json()["state"], "running");
    assert_eq!(bench.events(FIRST), 1);
}

#[test]
fn a_cluster_that_exists_is_refused_before_anything_is_looked_at() {
    let bench = Bench::new();
    bench.finished(FIRST, "demo");
    let said = bench.run(&["run", "--mesos-source", "none"]);
    let resume = format!("mesosflow resume {FIRST} --journal ");
    let destroy = format!("mesosflow destroy {FIRST} --journal ");
    said.refused(3, &["cluster `demo` exists", &resume, &destroy]);
}

#[test]
fn a_replay_of_unknown_steps_or_of_no_range_is_bad_usage() {
    let bench = Bench::new();
    bench.finished(FIRST, "demo");
    let before = bench.events(FIRST);
    for (args, part) in [
        (&["--from", "hdfs-fromat"][..], "did you mean `hdfs-format`?"),
        (
            &["--from", "render-config", "--to", "nothing-like-it"],
            "no step is called `nothing-like-it`",
        ),
        (&["--from", "hdfs-start", "--to", "render-config"], "comes before"),
        (
            &["--from", "hdfs-start", "--to", "hdfs-start", "--only"],
            "cannot be used with",
        ),
    ] {
        bench.run(&[&["replay"], args].concat()).refused(2, &[part]);
    }
    assert_eq!(bench.events(FIRST), before);
}

#[test]
fn a_destructive_replay_without_a_terminal_needs_yes() {
    let bench = Bench::new();
    let journal = bench.journal();
    let run = bench.begin(&journal, FIRST, "demo");
    // Steps that were skipped destroy nothing; this one is still to come.
    bench.drive(&run, 1);
    drop((run, journal));
    let before = bench.events(FIRST);
    let said = bench.run(&["replay", "--from", "render-config"]);
    said.refused(
        3,
        &[
            "step `hdfs-format` of cluster `demo`",
            "HDFS formatted",
            "--from render-config",
            "--yes",
        ],
    );
    // Not in the range, and only then does it get as far as the provider.
    for range in [&["--only"][..], &["--to", "render-config"]] {
        let said = bench.run(&[&["replay", "--from", "render-config"], range].concat());
        said.refused(2, &["provider `local` cannot be used"]);
    }
    assert_eq!(bench.events(FIRST), before);
}

#[test]
fn a_replay_after_a_step_without_outcome_is_refused_with_the_ways_out() {
    let bench = Bench::new();
    let journal = bench.journal();
    let run = bench.begin(&journal, FIRST, "demo");
    bench.drive(&run, 1);
    drop((run, journal));
    let said = bench.run(&["replay", "--from", "hdfs-start", "--yes"]);
    said.refused(
        3,
        &[
            "step `hdfs-format`, before `hdfs-start`, has no outcome",
            "mesosflow resume",
            "--from hdfs-format",
        ],
    );
}

#[test]
fn a_destroyed_run_is_neither_resumed_nor_replayed_nor_taken_for_gone_unasked() {
    let bench = Bench::new();
    bench.finished(FIRST, "demo");
    bench.destroyed(FIRST);
    bench
        .run(&["resume", FIRST])
        .refused(3, &["was destroyed", "mesosflow run --cluster demo"]);
    bench
        .run(&["replay", "--from", "hdfs-start"])
        .refused(3, &["was destroyed"]);
    for args in [
        &["destroy"][..],
        &["destroy", FIRST],
        &["destroy", "--cluster", "demo"],
    ] {
        // Who cannot be asked has not said that nothing is left.
        let unasked = bench.command(args).env("PATH", "/nowhere").output().unwrap();
        let unasked = said(unasked);
        assert_eq!(unasked.code, 1, "{unasked:?}");
        assert!(
            unasked.out.is_empty() && unasked.err.contains("no container engine"),
            "{unasked:?}"
        );
    }
    assert_eq!(bench.run(&["status", "--json"]).json()["destroyed"], true);
}

#[test]
fn destroying_without_a_terminal_needs_yes() {
    let bench = Bench::new();
    bench.finished(FIRST, "demo");
    let before = bench.events(FIRST);
    bench
        .run(&["destroy"])
        .refused(3, &["cluster `demo`", "is deleted with all its data", "--yes"]);
    assert_eq!(bench.events(FIRST), before);
}

/// `close` ends a run where it stands: it asks, says what is left and what mends it, and nobody resumes the run any more.
#[test]
fn an_unfinished_run_is_closed_and_an_ended_one_is_not() {
    let bench = Bench::new();
    let journal = bench.journal();
    let run = bench.begin(&journal, FIRST, "demo");
    bench.drive(&run, 1);
    bench
        .run(&["close", FIRST, "--yes"])
        .refused(3, &["is held by another process"]);
    drop(run);
    let before = bench.events(FIRST);
    bench.run(&["close", FIRST]).refused(
        3,
        &[
            "needs a confirmation",
            "ended where it stands",
            "left undone",
            "--yes",
        ],
    );
    assert_eq!(bench.events(FIRST), before);
    let closed = bench.run(&["close", FIRST, "--yes", "--json"]);
    assert_eq!(closed.code, 0, "{closed:?}");
    let closed = closed.json();
    assert_eq!(
        (&closed["workflow"], &closed["cluster"]),
        (&"deploy".into(), &"demo".into())
    );
    let open = closed["open"].as_array().unwrap();
    assert!(!open.is_empty() && open[0].is_string(), "{closed}");
    let status = bench.run(&["status", FIRST, "--json"]).json();
    assert_eq!(status["state"], "closed");
    let replay = format!("mesosflow replay {FIRST} --from ");
    let destroy = format!("mesosflow destroy {FIRST} ");
    bench
        .run(&["resume", FIRST])
        .refused(3, &["was closed: nobody goes on with it", &replay, &destroy]);
    bench
        .run(&["close", FIRST, "--yes"])
        .refused(3, &["is closed: there is nothing to close"]);

    bench.finished(crate::support::SECOND, "other");
    bench
        .run(&["close", crate::support::SECOND, "--yes"])
        .refused(3, &["is succeeded: there is nothing to close"]);
}
