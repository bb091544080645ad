//! A cluster that is stopped and started: killed at random on the way, at other addresses afterwards, with its data. What is stopped
//! says so to whoever wants to use it.

use std::collections::BTreeMap;
use std::time::Duration;

use mesosflow_tests::{
    Bench, FileSystem, Hdfs, Nodes, Point, RUN_LIMIT, Reached, Seen, Status, Watch, assert_healthy,
};

use crate::random::{Random, is_sweep};

/// Kills of each run, and how many where everything is asked for.
const KILLS: u64 = 2;
const SWEPT: u64 = 6;

#[test]
fn a_cluster_is_stopped_and_started_with_its_data() {
    let mut random = Random::new();
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let deploy = bench
        .start(&["run", "--cluster", &cluster, "--masters", "2", "--slaves", "2"])
        .finish(RUN_LIMIT)
        .ended(0)
        .run();
    let nodes = bench.nodes(&deploy);
    let before = file_systems(&nodes);
    write(&nodes, "before");
    let containers = bench.engine().containers(&cluster);

    refused_unasked(&mut bench, &cluster, &deploy);
    let stop = killed(&mut bench, &mut random, &["stop", "--yes"]);
    is_stopped(&mut bench, &cluster, &stop);
    move_nodes(&bench, &nodes);

    let start = killed(&mut bench, &mut random, &["start"]);
    assert_eq!(
        bench.engine().containers(&cluster),
        containers,
        "not the same machines"
    );
    let moved = bench.nodes(&deploy);
    for node in nodes.all() {
        let now = moved.named(&node.name);
        assert_ne!(now.ip, node.ip, "{} has its old address", node.name);
    }
    is_up(&mut bench, &start, &moved);
    assert_eq!(file_systems(&moved), before, "a file system was formatted");
    read(&moved, "before");

    // What made the cluster acts on it as it is now.
    write(&moved, "after");
    bench
        .start(&["replay", "--from", "zookeeper-start"])
        .finish(RUN_LIMIT)
        .ended(0);
    assert_healthy(&moved);
    read(&moved, "after");
    bench
        .start(&["replay", "--from", "await-nodes", "--to", "hostnames"])
        .finish(RUN_LIMIT)
        .ended(0);
    assert_eq!(bench.nodes(&deploy).hub().ip, moved.hub().ip);

    // Once more: a machine that somebody has started meanwhile is stopped all the same, and one that is gone is made anew, under the
    // name that it had and with another host key.
    let stop = bench.start(&["stop", "--yes"]).finish(RUN_LIMIT).ended(0).run();
    is_stopped(&mut bench, &cluster, &stop);
    bench.engine().run(&["start", &moved.hub().container]).ok();
    let stop = bench.start(&["stop", "--yes"]).finish(RUN_LIMIT).ended(0).run();
    is_stopped(&mut bench, &cluster, &stop);
    let gone = moved.of("slave")[1].container.clone();
    bench.engine().run(&["rm", "--force", "--volumes", &gone]).ok();
    let mut live = bench.start(&["start"]);
    let start = live.run();
    let launched = |seen: &Seen| seen.is(Point::succeeded("launch-slaves"));
    Watch::new(bench.journal(), &start, 0).until(&mut live, RUN_LIMIT, launched);
    live.kill();
    bench.start(&["resume", &start]).finish(RUN_LIMIT).ended(0);
    let nodes = bench.nodes(&deploy);
    is_up(&mut bench, &start, &nodes);
    read(&nodes, "after");
    let stop = bench.start(&["stop", "--yes"]).finish(RUN_LIMIT).ended(0).run();
    is_stopped(&mut bench, &cluster, &stop);
    bench
        .start(&["destroy", "--cluster", &cluster, "--yes"])
        .finish(RUN_LIMIT)
        .ended(0);
    assert_eq!(bench.engine().containers(&cluster), Vec::<String>::new());
    assert_eq!(bench.engine().networks(&cluster), Vec::<String>::new());
}

/// Runs a workflow to its end, killed on the way at moments that differ each time; its run.
pub(crate) fn killed(bench: &mut Bench, random: &mut Random, args: &[&str]) -> String {
    let mut live = bench.start(args);
    let run = live.run();
    let kills = if is_sweep() { SWEPT } else { KILLS };
    for _ in 0..kills {
        let events = bench.history(&run).events().len() as u64;
        let steps = 1 + random.below(16);
        let due = |seen: &Seen| seen.seq > events + steps;
        if let Reached::End = Watch::new(bench.journal(), &run, events).until(&mut live, RUN_LIMIT, due) {
            break;
        }
        std::thread::sleep(Duration::from_millis(random.below(700)));
        live.kill();
        bench.history(&run).assert_nothing_done_twice();
        if bench.status(&run).state() == "succeeded" {
            return run;
        }
        // Nobody else gets the cluster meanwhile.
        bench
            .say(&["stop", "--yes"])
            .ended(3)
            .complains(&[&run, "resume"]);
        live = bench.start(&["resume", &run]);
    }
    live.finish(RUN_LIMIT).ended(0);
    run
}

/// Without a terminal nobody can be asked, and nothing happens.
fn refused_unasked(bench: &mut Bench, cluster: &str, deploy: &str) {
    let said = bench.say(&["stop"]).ended(3);
    said.complains(&["--yes", cluster]);
    let list = bench.say(&["list", "--json"]).ended(0).json();
    assert_eq!(list.as_array().unwrap().len(), 1, "a run was begun: {list}");
    assert_eq!(list[0]["run"], deploy);
    let plan = bench.say(&["plan", "stop", "--json"]).ended(0).json();
    assert_eq!(plan["workflow"], "stop");
    let machines = plan["machines"].as_array().unwrap();
    assert!(
        machines.iter().all(|machine| machine["action"] == "stop"),
        "{plan}"
    );
    assert_eq!(machines.len(), 7, "{plan}");
    assert_eq!(
        plan["steps"].as_array().unwrap().last().unwrap()["id"],
        "stop-machines"
    );
    // What runs has nothing to be started.
    bench.say(&["start"]).ended(0);
    assert_eq!(bench.say(&["list", "--json"]).json().as_array().unwrap().len(), 1);
}

fn is_stopped(bench: &mut Bench, cluster: &str, stop: &str) {
    let status = bench.status(stop);
    ended(&status, "stop");
    let view = bench.say(&["clusters", "--json"]).ended(0).json();
    assert_eq!(view[0]["state"], "stopped", "{view}");
    assert_eq!(view[0]["slaves"], 2, "{view}");
    for container in bench.engine().containers(cluster) {
        let state = bench
            .engine()
            .run(&["inspect", "--format", "{{.State.Running}}", &container]);
        assert_eq!(state.ok().trim(), "false", "{container} runs");
    }
    // Each says what to do instead of waiting for nodes that cannot answer.
    for args in [
        &["login"][..],
        &["run-command", "--", "true"],
        &["replay", "--from", "hdfs-format", "--yes"],
    ] {
        bench.say(args).ended(3).complains(&["stopped", "start", cluster]);
    }
    bench.say(&["stop", "--yes"]).ended(0);
    bench.say(&["resume", stop]).ended(3);
}

/// A run of that workflow has done all its steps.
#[track_caller]
fn ended(status: &Status, workflow: &str) {
    assert_eq!(status.value()["workflow"], workflow);
    assert_eq!(status.state(), "succeeded");
    for step in status.steps() {
        let state = step["state"].as_str().unwrap();
        assert!(["succeeded", "skipped"].contains(&state), "{step}");
    }
}

/// Every container gets another address of its network, as a machine may that was stopped.
fn move_nodes(bench: &Bench, nodes: &Nodes) {
    for node in nodes.all() {
        let engine = bench.engine();
        let networks = engine.run(&[
            "inspect",
            "--format",
            "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}",
            &node.container,
        ]);
        let network = networks.ok().trim().to_owned();
        let (prefix, host) = node.ip.rsplit_once('.').unwrap();
        let moved = format!("{prefix}.{}", host.parse::<u8>().unwrap() + 50);
        engine
            .run(&["network", "disconnect", &network, &node.container])
            .ok();
        engine
            .run(&["network", "connect", "--ip", &moved, &network, &node.container])
            .ok();
    }
}

fn is_up(bench: &mut Bench, start: &str, nodes: &Nodes) {
    let status = bench.status(start);
    ended(&status, "start");
    let view = bench.say(&["clusters", "--json"]).ended(0).json();
    assert_eq!(view[0]["state"], "up", "{view}");
    assert_healthy(nodes);
    bench.say(&["run-command", "--", "true"]).ended(0);
}

fn file_systems(nodes: &Nodes) -> BTreeMap<&'static str, FileSystem> {
    let of = |hdfs: Hdfs| (hdfs.word(), hdfs.file_system(nodes));
    Hdfs::BOTH.map(of).into()
}

pub(crate) fn write(nodes: &Nodes, name: &str) {
    for hdfs in Hdfs::BOTH {
        let put = hdfs.command(&format!("dfs -put -f - /{name}"));
        nodes.hub().ask(&format!("echo 'written {name}' | {put}"));
    }
}

pub(crate) fn read(nodes: &Nodes, name: &str) {
    for hdfs in Hdfs::BOTH {
        for slave in nodes.of("slave") {
            let text = slave.ask(&hdfs.command(&format!("dfs -cat /{name}")));
            assert_eq!(
                text,
                format!("written {name}"),
                "{} on {}",
                hdfs.word(),
                slave.name
            );
        }
    }
}
