//! Ctrl-C between the taking of a run and its first step: the run says how it ended, and what goes on with it. A run that is closed,
//! and a destroy that is half done, are said to be what they are.

use std::time::Duration;

use mesosflow_tests::{Bench, Live, Point, RUN_LIMIT, Watch, until};
use serde_json::{Value, json};

/// What is over at once, on a machine on which everything takes ten times as long.
const LIMIT: Duration = Duration::from_secs(120);

/// The engine stands still as soon as runs were begun more often than `hold` says, for as long as whoever asks it lives.
const HOLD: &str = r#"begun=$(cat "$HOME"/runs/*/log.jsonl 2>/dev/null | grep -c -e '"message":"begins"' -e '"message":"destroys"')
if [ -e "$HOME/hold" ] && [ "$begun" -gt "$(cat "$HOME/hold")" ]; then
  touch "$HOME/held"
  exec tail --pid=$PPID -f /dev/null
fi"#;

/// Starts the program, and stops it where the engine stands still.
fn stopped(bench: &mut Bench, begun: usize, args: &[&str]) -> mesosflow_tests::Said {
    let held = bench.path("held");
    let _none = std::fs::remove_file(&held);
    bench.write("hold", &begun.to_string());
    let mut live = bench.start(args);
    until("the engine to stand still", RUN_LIMIT, || {
        assert!(
            live.ended().is_none(),
            "it ended before it was held:\n{}",
            live.err()
        );
        held.exists().then_some(())
    });
    live.interrupt();
    live.finish(LIMIT)
}

#[test]
fn a_run_that_is_stopped_before_its_first_step_says_so() {
    let mut bench = Bench::new();
    bench.wrap_engine(HOLD);
    let cluster = bench.cluster();
    let args = ["run", "--cluster", &cluster, "--masters", "1", "--slaves", "1"];
    let said = stopped(&mut bench, 0, &args).ended(130);
    let run = said.run();
    said.complains(&["was interrupted", "to go on", "resume", &run]);
    let is_interrupted = |bench: &Bench| {
        assert_eq!(bench.status(&run).state(), "interrupted");
        let history = bench.history(&run);
        assert_eq!(history.events().last().unwrap()["kind"], "run_interrupted");
    };
    is_interrupted(&bench);

    let said = stopped(&mut bench, 1, &["resume", &run]).ended(130);
    said.complains(&["was interrupted", "resume", &run]);
    is_interrupted(&bench);

    // Of a destroy no history tells before the nodes were asked whose they are.
    let said = stopped(&mut bench, 2, &["destroy", &run, "--yes"]).ended(130);
    said.complains(&["nothing was deleted", "destroy", &run]);
    is_interrupted(&bench);
    std::fs::remove_file(bench.path("hold")).unwrap();
    assert_eq!(bench.engine().containers(&cluster), Vec::<String>::new());
    bench.say(&["destroy", &run, "--yes"]).ended(0);
}

#[test]
fn what_is_closed_or_half_destroyed_is_told_as_what_it_is() {
    let mut bench = Bench::new();
    bench.wrap_engine(
        r#"case "$*" in *"rm --force --volumes "*-slave-1-*) [ ! -e "$HOME/keep" ] || exit 1 ;; esac"#,
    );
    let cluster = bench.cluster();
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "1"]);
    let run = live.run();
    let at = Point::item_started("setup-nodes");
    Watch::new(bench.journal(), &run, 0).point(&mut live, RUN_LIMIT, at);
    live.kill();

    bench.say(&["close", &run, "--yes"]).ended(0);
    let status = bench.status(&run);
    for step in status.steps() {
        let items = step["items"].as_array().unwrap();
        let mut all = items.iter().chain([step]);
        assert!(all.all(|of| of["state"] != "running"), "{step:#}");
    }
    let cut_off = status.step("setup-nodes");
    assert_eq!(cut_off["state"], "failed");
    let why = cut_off["error"]["message"].as_str().unwrap();
    assert!(why.contains("was closed while it was under way"), "{why}");
    bench.say(&["status", &run]).ended(0).tells(&[why]);

    let plan = bench.say(&["plan", "destroy", "--json"]).ended(0).json();
    assert_eq!(
        (&plan["run"], &plan["closes"]),
        (&Value::Null, &Value::Null),
        "{plan:#}"
    );
    let kinds: Vec<_> = plan["deletes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|thing| &thing["resource_kind"])
        .collect();
    assert_eq!(
        kinds,
        [&json!("instance"), &json!("instance"), &json!("network")],
        "{plan:#}"
    );

    half_destroyed(&mut bench, &cluster);
    assert_eq!(bench.engine().containers(&cluster), Vec::<String>::new());
    assert_eq!(bench.engine().networks(&cluster), Vec::<String>::new());
}

/// The slave is not to be deleted, and the destroy is stopped once the master is.
fn half_destroyed(bench: &mut Bench, cluster: &str) {
    bench.write("keep", "");
    let mut live = bench.start(&["destroy", "--yes"]);
    let destroy = until("the destroy in the list", LIMIT, || destroy_of(bench));
    let at = Point::item_succeeded("delete-machines");
    Watch::new(bench.journal(), &destroy, 0).point(&mut live, RUN_LIMIT, at);

    // Whoever is asked by, the one that is driven is named.
    held(bench, &destroy, &mut live);
    live.interrupt();
    live.finish(RUN_LIMIT).ended(130);

    let said = bench.say(&["run-command", "--", "true"]).ended(0);
    let unfinished = format!("a destroy of cluster `{cluster}` is unfinished");
    for part in [unfinished.as_str(), "resume", &destroy] {
        assert!(said.err.contains(part), "{part:?} is missing:\n{}", said.err);
    }
    let plan = bench.say(&["plan", "destroy", "--json"]).ended(0).json();
    assert_eq!(plan["run"], Value::from(destroy.as_str()), "{plan:#}");
    assert_eq!(plan["steps"][0]["action"], "skip", "{plan:#}");

    std::fs::remove_file(bench.path("keep")).unwrap();
    bench.say(&["resume", "--last"]).ended(0);
}

fn held(bench: &mut Bench, destroy: &str, live: &mut Live) {
    let deploy = run_of(bench, "deploy").unwrap();
    let names = format!("run `{destroy}` is held by another process");
    for args in [
        &["resume", deploy.as_str()][..],
        &["close", &deploy, "--yes"],
        &["run-command", "--", "true"],
    ] {
        bench
            .say(args)
            .ended(3)
            .complains(&[&names, &live.pid().to_string(), &deploy]);
    }
}

fn destroy_of(bench: &mut Bench) -> Option<String> {
    run_of(bench, "destroy")
}

fn run_of(bench: &mut Bench, workflow: &str) -> Option<String> {
    let list = bench.say(&["list", "--json"]).ended(0).json();
    let run = list
        .as_array()
        .unwrap()
        .iter()
        .find(|run| run["workflow"] == workflow)?;
    run["run"].as_str().map(str::to_owned)
}
