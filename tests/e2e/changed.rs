//! Slaves come to a cluster that works and leave it, killed at random on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use mesosflow_tests::{Bench, Nodes, Point, RUN_LIMIT, Reached, Seen, Watch, assert_healthy};

use crate::random::Random;
use crate::stopped::{killed, read, write};

/// The daemons that must not be started anew by what concerns other nodes.
const UNITS: &str = "ephemeral-hdfs-namenode ephemeral-hdfs-datanode persistent-hdfs-namenode persistent-hdfs-datanode mesos-master \
                     mesos-slave mesosflow-nfs-ganesha";

#[test]
fn slaves_come_and_go_while_the_cluster_works() {
    let mut random = Random::new();
    let mut bench = Bench::new();
    bench.config(bench.forgets_soon());
    let cluster = bench.cluster();
    let deploy = bench
        .start(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "2"])
        .finish(RUN_LIMIT)
        .ended(0)
        .run();
    let nodes = bench.nodes(&deploy);
    write(&nodes, "before");
    let daemons = invocations(&nodes);

    planned(&mut bench, &deploy);
    let add = killed(&mut bench, &mut random, &["add-slaves", "1"]);
    ended(&bench, &add);
    let grown = has(&mut bench, &cluster, &add, &["slave-1", "slave-2", "slave-3"]);
    for (daemon, invocation) in &daemons {
        assert_eq!(
            invocations(&grown).get(daemon),
            Some(invocation),
            "{daemon:?} was started anew"
        );
    }
    read(&grown, "before");

    // Its machine is another one, once the user has agreed to that, and the other slaves have nothing to do with it.
    let anew = ["replay", &add, "--from", "launch-slaves"];
    let unasked = bench.say(&anew).ended(3).complains(&["slave-3", "--yes"]);
    assert!(!unasked.err.contains("slave-1"), "{}", unasked.err);
    let replayed = killed(&mut bench, &mut random, &[&anew[..], &["--yes"]].concat());
    assert_eq!(replayed, add);
    ended(&bench, &add);
    let grown = has(&mut bench, &cluster, &add, &["slave-1", "slave-2", "slave-3"]);
    read(&grown, "before");

    // A machine that ends while it is led away is deleted as it is.
    refused(&mut bench);
    let away = ["remove-slaves", "slave-1", "--yes"];
    let remove = cut_off(&mut bench, &mut random, &away, "drain-agents");
    let again = cut_off(&mut bench, &mut random, &["resume", &remove], "hdfs-decommission");
    assert_eq!(again, remove);
    let leaving = grown.of("slave")[0].container.clone();
    bench.engine().run(&["kill", &leaving]).ok();
    let resumed = killed(&mut bench, &mut random, &["resume", &remove]);
    assert_eq!(resumed, remove);
    ended(&bench, &remove);
    bench
        .say(&["replay", &remove, "--from", "drain-agents"])
        .ended(3)
        .complains(&["delete-machines", &remove]);
    let shrunk = has(&mut bench, &cluster, &remove, &["slave-2", "slave-3"]);
    read(&shrunk, "before");
}

/// A run has done all its steps.
#[track_caller]
pub(crate) fn ended(bench: &Bench, run: &str) {
    let status = bench.status(run);
    assert_eq!(status.state(), "succeeded");
    for step in status.steps() {
        let state = step["state"].as_str().unwrap();
        assert!(["succeeded", "skipped"].contains(&state), "{step}");
    }
}

/// A plan says what there would be, and begins no run.
fn planned(bench: &mut Bench, deploy: &str) {
    let plan = bench.say(&["plan", "add-slaves", "1", "--json"]).ended(0).json();
    assert_eq!(plan["workflow"], "add-slaves");
    assert_eq!(plan["machines"][0]["action"], "launch", "{plan}");
    assert_eq!(plan["steps"][0]["id"], "launch-slaves", "{plan}");
    let plan = bench
        .say(&["plan", "remove-slaves", "slave-2", "--json"])
        .ended(0)
        .json();
    assert_eq!(plan["machines"][0]["action"], "terminate", "{plan}");
    assert_eq!(plan["steps"][0]["id"], "drain-agents", "{plan}");
    let list = bench.say(&["list", "--json"]).ended(0).json();
    assert_eq!(list.as_array().unwrap().len(), 1, "a run was begun: {list}");
    assert_eq!(list[0]["run"], deploy);
}

/// What cannot be is refused before anything is touched.
fn refused(bench: &mut Bench) {
    bench
        .say(&["remove-slaves", "slave-1"])
        .ended(3)
        .complains(&["--yes", "slave-1"]);
    bench
        .say(&["remove-slaves", "slave-7", "--yes"])
        .ended(2)
        .complains(&["slave-7", "slave-3"]);
    bench
        .say(&["remove-slaves", "master-1", "--yes"])
        .ended(2)
        .complains(&["master-1"]);
    bench
        .say(&["remove-slaves", "--count", "3", "--yes"])
        .ended(2)
        .complains(&["at least one"]);
    bench.say(&["add-slaves", "0"]).ended(2);
    bench
        .say(&["rollback", "--yes"])
        .ended(3)
        .complains(&["nothing to undo"]);
}

/// Begins a run and kills it at some moment after that step has begun; its run.
pub(crate) fn cut_off(bench: &mut Bench, random: &mut Random, args: &[&str], step: &'static str) -> String {
    let mut live = bench.start(args);
    let run = live.run();
    let begun = |seen: &Seen| seen.is(Point::started(step));
    let reached = Watch::new(bench.journal(), &run, 0).until(&mut live, RUN_LIMIT, begun);
    assert!(matches!(reached, Reached::Point(_)), "{step} was never begun");
    std::thread::sleep(Duration::from_millis(random.below(1500)));
    live.kill();
    run
}

/// The cluster has exactly these slaves, as machines, nodes, datanodes and agents, and works.
#[track_caller]
pub(crate) fn has(bench: &mut Bench, cluster: &str, run: &str, slaves: &[&str]) -> Nodes {
    let nodes = bench.nodes(run);
    let names =
        |nodes: Vec<&mesosflow_tests::Node>| nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>();
    let wanted: Vec<_> = slaves.iter().map(|slave| format!("{cluster}-{slave}")).collect();
    assert_eq!(names(nodes.of("slave")), wanted);
    let mut containers = nodes.containers();
    containers.sort();
    let mut there = bench.engine().containers(cluster);
    there.sort();
    assert_eq!(
        there, containers,
        "machines that are no nodes, or nodes without a machine"
    );
    let view = bench.say(&["clusters", "--json"]).ended(0).json();
    assert_eq!(
        (&view[0]["state"], &view[0]["slaves"]),
        (&"up".into(), &slaves.len().into())
    );
    assert_healthy(&nodes);
    let check = bench.check();
    assert_eq!(check["healthy"], true, "{check}");
    let others = nodes.hub().ask("cat /etc/mesosflow/hosts");
    for number in 1..9 {
        let name = format!("{cluster}-slave-{number}");
        assert_eq!(others.contains(&name), wanted.contains(&name), "{others}");
    }
    nodes
}

/// Which start of each daemon runs, by node and unit.
pub(crate) fn invocations(nodes: &Nodes) -> BTreeMap<(String, String), String> {
    let mut all = BTreeMap::new();
    for node in nodes.all() {
        for unit in UNITS.split_whitespace() {
            let id = node.ask(&format!("systemctl show --property InvocationID --value {unit}"));
            if !id.is_empty() {
                all.insert((node.name.clone(), unit.to_owned()), id);
            }
        }
    }
    all
}
