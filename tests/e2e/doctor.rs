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
    let said = bench.say(&["doctor", "--masters", "1", "--slaves", "1", "--json"]);
    let report = said.json();
    assert_eq!(said.code == 0, report["healthy"] == true, "{report:#}");
    for what in [
        "container engine",
        "nodes with systemd",
        "network of nodes",
        "node image",
    ] {
        assert_eq!(of(&report, what)["ok"], true, "{report:#}");
    }
    // Other clusters may have all of these at the moment; then it is said what to do.
    for what in ["inotify instances", "memory", "disk of nodes"] {
        let finding = of(&report, what);
        assert_eq!(finding["hint"].is_string(), finding["ok"] == false, "{finding:#}");
    }
    assert!(!bench.journal().exists(), "a journal was made");

    let report = bench
        .say(&["doctor", "--slaves", "64", "--masters", "5", "--json"])
        .json();
    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_instances").unwrap();
    if limit.trim().parse::<u64>().unwrap() < 72 * 6 {
        let finding = of(&report, "inotify instances");
        assert_eq!(finding["ok"], false, "{finding:#}");
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
