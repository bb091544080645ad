//! `doctor` on this machine: what the tests' own clusters need is there, and what an engine cannot do is told.

use mesosflow_tests::Bench;
use serde_json::Value;

fn of<'r>(report: &'r Value, what: &str) -> &'r Value {
    let all = report["findings"].as_array().unwrap();
    let found = all.iter().find(|finding| finding["what"] == what);
    found.unwrap_or_else(|| panic!("nothing of {what}: {report:#}"))
}

#[test]
fn this_machine_can_have_a_cluster_and_nothing_of_it_is_made() {
    let mut bench = Bench::new();
    let said = bench
        .say(&["doctor", "--masters", "1", "--slaves", "1", "--json"])
        .ended(0);
    let report = said.json();
    assert_eq!(report["healthy"], true);
    for what in [
        "container engine",
        "nodes with systemd",
        "network of nodes",
        "node image",
        "memory",
        "disk of nodes",
    ] {
        assert_eq!(of(&report, what)["ok"], true, "{report:#}");
    }
    assert!(!bench.journal().exists(), "a journal was made");

    // More than any machine of today has.
    let said = bench.say(&["doctor", "--slaves", "60", "--masters", "5", "--json"]);
    let (memory, room) = (
        of(&said.json(), "memory").clone(),
        of(&said.json(), "disk of nodes").clone(),
    );
    for finding in [memory, room] {
        assert_eq!(finding["hint"].is_string(), finding["ok"] == false, "{finding:#}");
    }

    bench.wrap_engine(
        r#"case "$*" in *info*) echo '{"host":{"cgroupVersion":"v2","security":{"rootless":true}},"version":{"Version":"5.0"}}'; exit ;; esac"#,
    );
    let report = bench.say(&["doctor", "--json"]).ended(1).json();
    let nodes = of(&report, "nodes with systemd");
    assert_eq!(nodes["ok"], false);
    assert!(nodes["hint"].as_str().unwrap().contains("sudo"), "{nodes:#}");
    bench.wrap_engine("echo 'no engine today' >&2; exit 1");
    let shown = bench.say(&["doctor"]).ended(1);
    shown.tells(&[
        "LACKING",
        "container engine",
        "no engine today",
        "hint: install podman",
    ]);
}
