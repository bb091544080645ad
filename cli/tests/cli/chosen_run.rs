//! Which run is meant.

use crate::support::{Bench, FIRST, SECOND};

const ON_ONE_RUN: [&[&str]; 5] = [
    &["status"],
    &["events"],
    &["logs"],
    &["resume"],
    &["destroy", "--yes"],
];

#[test]
fn without_a_journal_no_run_is_known_and_none_is_made() {
    let bench = Bench::new();
    for command in ON_ONE_RUN {
        let args = [command, &["01jd3k"]].concat();
        assert_eq!(bench.run_creating_nothing(&args).code, 2, "{args:?}");
    }
    bench
        .run_creating_nothing(&["status"])
        .refused(2, &["there is no run in the journal"]);
    bench
        .run_creating_nothing(&["resume", "--last"])
        .refused(2, &["there is no run in the journal"]);
    bench
        .run_creating_nothing(&["replay", "--from", "hdfs-format"])
        .refused(2, &["there is no run"]);
    let list = bench.run_creating_nothing(&["list"]);
    assert_eq!((list.code, list.out.as_str()), (0, ""));
    assert_eq!(
        bench.run_creating_nothing(&["list", "--json"]).json(),
        serde_json::json!([])
    );
}

#[test]
fn an_unknown_id_and_an_ambiguous_one_are_refused() {
    let bench = Bench::new();
    bench.finished(FIRST, "one");
    bench.finished(SECOND, "two");
    for command in ON_ONE_RUN {
        bench
            .run(&[command, &["01zz"]].concat())
            .refused(2, &["no run's id begins with `01zz`"]);
        let ambiguous = bench.run(&[command, &["01jd3k"]].concat());
        ambiguous.refused(
            2,
            &[
                "`01jd3k` is the beginning of 2 runs' ids",
                FIRST,
                SECOND,
                "one on local",
            ],
        );
    }
    let ambiguous = bench.run(&["destroy", "--yes"]);
    ambiguous.refused(2, &["2 runs have a cluster", FIRST, SECOND]);
    bench
        .run(&["destroy", "--cluster", "tow", "--yes"])
        .refused(2, &["no run is about a cluster `tow`", "`two`"]);
}

#[test]
fn a_unique_prefix_and_no_id_at_all_choose_a_run() {
    let bench = Bench::new();
    bench.finished(FIRST, "one");
    bench.finished(SECOND, "two");
    let run = |args: &[&str]| bench.run(args).json()["run"].clone();
    assert_eq!(run(&["status", "--json", FIRST]), FIRST);
    assert_eq!(run(&["status", "--json", &FIRST.to_uppercase()]), FIRST);
    assert_eq!(run(&["status", "--json"]), SECOND, "the newest one");
}

/// `--last` is the newest run of which something is left, and says so where that is not the newest of all.
#[test]
fn the_last_run_to_go_on_with_is_one_that_is_not_finished() {
    let bench = Bench::new();
    let journal = bench.journal();
    let run = bench.begin(&journal, FIRST, "one");
    bench.drive(&run, 1);
    drop((run, journal));
    bench.finished(SECOND, "two");
    let said = bench.run(&["resume", "--last"]);
    // It comes as far as the engine, which this bench does not have.
    said.refused(
        2,
        &[
            &format!("run {FIRST}, a deploy of cluster `one`, is the newest one that is not finished"),
            &format!("run {SECOND}, a deploy of cluster `two`, is newer, and has succeeded"),
            "provider `local` cannot be used",
        ],
    );
    bench.run(&["close", FIRST, "--yes"]);
    bench.run(&["resume", "--last"]).refused(
        3,
        &[
            "no run is unfinished",
            SECOND,
            "has succeeded",
            "mesosflow replay",
        ],
    );
}
