//! Which cluster the commands of every day mean, and what `clusters` shows; here no node ever answered.

use crate::support::{Bench, FIRST, SECOND};

const ON_ONE_CLUSTER: [&[&str]; 8] = [
    &["check"],
    &["run-command", "--", "true"],
    &["copy-file", "journal.sqlite", "/opt/x"],
    &["login"],
    &["get-master"],
    &["tunnel"],
    &["inventory"],
    &["ssh-config"],
];

fn on(cluster: &str, command: &[&str]) -> Vec<String> {
    let mut args = vec![command[0].to_owned(), format!("--cluster={cluster}")];
    args.extend(command[1..].iter().map(ToString::to_string));
    args
}

#[test]
fn without_a_cluster_there_is_nothing_to_do() {
    let bench = Bench::new();
    for command in ON_ONE_CLUSTER {
        if command[0] != "copy-file" {
            bench
                .run_creating_nothing(command)
                .refused(2, &["there is no run in the journal"]);
        }
    }
    bench.finished(FIRST, "one");
    bench.destroyed(FIRST);
    for command in ON_ONE_CLUSTER {
        bench.run(command).refused(2, &["there is no cluster"]);
    }
    bench
        .run(&["check", "--cluster", "one"])
        .refused(2, &["there is no cluster `one` any more", "it was destroyed"]);
    let clusters = bench.run(&["clusters", "--json"]).json();
    assert_eq!(clusters[0]["state"], "gone", "{clusters}");
}

#[test]
fn one_cluster_need_not_be_named_and_of_several_one_must_be() {
    let bench = Bench::new();
    bench.finished(FIRST, "one");
    for command in ON_ONE_CLUSTER {
        bench.run(command).refused(
            1,
            &["no node of cluster `one` has ever answered", "mesosflow status"],
        );
    }
    bench.finished(SECOND, "two");
    for command in ON_ONE_CLUSTER {
        bench.run(command).refused(
            2,
            &[
                "there are 2 clusters",
                "--cluster",
                "one on local",
                "two on local",
            ],
        );
        let args = on("tow", command);
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        bench
            .run(&args)
            .refused(2, &["there is no cluster `tow`", "did you mean `two`?"]);
        let args = on("two", command);
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        bench
            .run(&args)
            .refused(1, &["no node of cluster `two` has ever answered"]);
    }
    bench.destroyed(FIRST);
    bench
        .run(&["get-master"])
        .refused(1, &["no node of cluster `two`"]);
}

#[test]
fn clusters_are_shown_as_they_are() {
    let bench = Bench::new();
    let none = bench.run_creating_nothing(&["clusters", "--json"]).json();
    assert_eq!(none, serde_json::json!([]));
    bench.finished(FIRST, "one");
    let journal = bench.journal();
    let run = bench.begin(&journal, SECOND, "two");
    let clusters = bench.run(&["clusters", "--json"]).json();
    let states: Vec<_> = clusters
        .as_array()
        .unwrap()
        .iter()
        .map(|view| view["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["up", "unfinished"]);
    for key in [
        "cluster",
        "cluster_id",
        "provider",
        "masters",
        "slaves",
        "zookeepers",
        "mesos_version",
        "created_at",
        "run",
        "health",
    ] {
        assert!(clusters[0].get(key).is_some(), "{key}: {clusters}");
    }
    let shown = bench.run(&["clusters"]);
    assert!(
        shown.out.contains("one") && shown.out.contains("unfinished"),
        "{shown:?}"
    );
    drop(run);
}

#[test]
fn what_cannot_be_is_refused_before_any_node_is_asked() {
    let bench = Bench::new();
    bench.finished(FIRST, "one");
    for args in [
        &["check", "--timeout", "0"][..],
        &["check", "now"],
        &["run-command"],
        &["run-command", "true"],
        &["run-command", "--"],
        &["run-command", "--", " "],
        &["run-command", "--serial", "0", "--", "true"],
        &["run-command", "--timeout", "0", "--", "true"],
        &["run-command", "--role", "boss", "--", "true"],
        &["copy-file", "journal.sqlite"],
        &["copy-file", "journal.sqlite", "here"],
        &[
            "copy-file",
            "--direct",
            "--through-master",
            "journal.sqlite",
            "/x",
        ],
        &["copy-file", "missing", "/x"],
        &["copy-file", ".", "/x"],
        &["inventory", "--format", "xml"],
        &["inventory", "--list", "--host", "x"],
        &["tunnel", "--forward", "-D", "1080"],
    ] {
        let said = bench.run(args);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{args:?}: {said:?}");
    }
}
