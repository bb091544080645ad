//! A node that is lost before the run's end, its container removed by hand: the failed step names it, and a resume makes that
//! one anew and everything on it, whichever role it had; no other node is made again, and no complete format is done twice.

use mesosflow_tests::{Bench, Hdfs, History, Nodes, Point, RUN_LIMIT, Watch, assert_healthy};

#[test]
fn a_lost_slave_a_lost_zookeeper_and_a_lost_master_are_each_made_anew_alone() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "2", "--slaves", "2"]);
    let run = live.run();
    let mut watch = Watch::new(bench.journal(), &run, 0);
    watch.point(&mut live, RUN_LIMIT, Point::started("cluster-health"));
    live.kill();
    let formatted = Hdfs::BOTH.map(|hdfs| hdfs.file_system(&bench.nodes(&run)));

    // The next driver asks before it does anything.
    for name in ["slave-2", "zookeeper-1", "master-2"] {
        let before = bench.nodes(&run);
        remove(&bench, &before, &format!("{cluster}-{name}"));
        let after = bench.history(&run).events().len() as u64;
        let mut live = bench.start(&["resume", &run]);
        let mut watch = Watch::new(bench.journal(), &run, after);
        watch.point(&mut live, RUN_LIMIT, Point::started("cluster-health"));
        live.kill();
        made_anew_alone(&bench, &run, &before, &format!("{cluster}-{name}"));
    }

    // And whoever fails for one that is lost says so.
    let before = bench.nodes(&run);
    let mut live = bench.start(&["replay", &run, "--from", "setup-nodes", "--yes"]);
    let after = bench.history(&run).events().len() as u64;
    let mut watch = Watch::new(bench.journal(), &run, after);
    watch.point(&mut live, RUN_LIMIT, Point::started("build-mesos"));
    let name = format!("{cluster}-slave-1");
    remove(&bench, &before, &name);
    let said = live.finish(RUN_LIMIT).ended(1);
    said.complains(&[&name, "is dead: there is no such container", "resume", "anew"]);
    let stale = bench.status(&run);
    let launch = stale.step("launch-slaves");
    assert_eq!(launch["state"], "stale", "{launch:#}");
    assert!(launch["reason"].as_str().unwrap().contains(&name), "{launch:#}");

    bench.say(&["resume", &run]).ended(0);
    made_anew_alone(&bench, &run, &before, &name);
    bench.status(&run).all_done();

    // So does who resumes a replay that was killed: it builds on machines that may be gone.
    let before = bench.nodes(&run);
    let name = format!("{cluster}-slave-2");
    let redeployed = Point::item_succeeded("redeploy-mesos");
    let killed = killed_in_a_replay(&mut bench, &run, "distribute-scripts", redeployed, &name);
    bench.say(&["resume", &run]).ended(0);
    let history = bench.history(&run);
    let generation = found_first(&history, killed, "launch-slaves", &name);
    history
        .of_other_items(generation, &name)
        .assert_nothing_done_twice();
    made_anew_alone(&bench, &run, &before, &name);
    bench.status(&run).all_done();

    // One that another run has brought is lost no otherwise, and nothing that was done on it counts for the next.
    bench.say(&["add-slaves", "1"]).ended(0);
    let before = bench.nodes(&run);
    let name = format!("{cluster}-slave-3");
    let redeployed = Point::item_succeeded("redeploy-mesos");
    killed_in_a_replay(&mut bench, &run, "distribute-scripts", redeployed, &name);
    bench.say(&["resume", &run]).ended(0);
    made_anew_alone(&bench, &run, &before, &name);
    bench.status(&run).all_done();
    assert_healthy(&bench.nodes(&run));
    let status = bench.say(&["status", &run, "--json"]).ended(0).json();
    let known = status["resources"].as_array().unwrap().iter();
    let known = known.filter(|resource| resource["resource_kind"] == "instance");
    assert_eq!(known.count(), bench.engine().containers(&cluster).len());
    let nodes = bench.nodes(&run);
    assert_healthy(&nodes);
    assert_eq!(
        Hdfs::Persistent.file_system(&nodes),
        formatted[1],
        "formatted again"
    );
    assert_eq!(bench.engine().containers(&cluster), nodes.containers());
}

/// With the first master its part of both file systems is gone. Before the cluster ever came up nobody has had it: both are made
/// anew. What a cluster holds that was up is given up by nobody but the user.
#[test]
fn a_lost_first_master_is_made_anew_and_what_a_cluster_held_is_given_up_only_when_asked() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "1"]);
    let run = live.run();
    let mut watch = Watch::new(bench.journal(), &run, 0);
    watch.point(&mut live, RUN_LIMIT, Point::started("cluster-health"));
    live.kill();
    let before = bench.nodes(&run);
    let name = format!("{cluster}-master-1");
    remove(&bench, &before, &name);

    bench.say(&["resume", &run]).ended(0);
    made_anew_alone(&bench, &run, &before, &name);
    bench.status(&run).all_done();
    let before = bench.nodes(&run);
    assert_healthy(&before);

    let redeployed = Point::item_succeeded("redeploy-mesos");
    let killed = killed_in_a_replay(&mut bench, &run, "setup-nodes", redeployed, &name);
    let said = bench.say(&["resume", &run]).ended(130);
    let replay = format!("mesosflow replay {run} --from persistent-hdfs-format");
    said.complains(&["holds blocks of the persistent file system", &replay]);
    found_first(&bench.history(&run), killed, "launch-masters", &name);
    made_anew_alone(&bench, &run, &before, &name);

    // Asked for once, it is done by whoever comes to it, be the first master another one by then.
    let before = bench.nodes(&run);
    let begun = Point::started("persistent-hdfs-format");
    let killed = killed_in_a_replay(&mut bench, &run, "persistent-hdfs-format", begun, &name);
    bench.say(&["resume", &run]).ended(0);
    found_first(&bench.history(&run), killed, "launch-masters", &name);
    made_anew_alone(&bench, &run, &before, &name);
    bench.status(&run).all_done();
    assert_healthy(&bench.nodes(&run));
}

/// A replay is killed at a point, and a node is gone before anybody resumes it. Returns how many events there are.
fn killed_in_a_replay(bench: &mut Bench, run: &str, from: &str, point: Point, node: &str) -> usize {
    let nodes = bench.nodes(run);
    let before = bench.history(run).events().len() as u64;
    let mut live = bench.start(&["replay", run, "--from", from, "--yes"]);
    Watch::new(bench.journal(), run, before).point(&mut live, RUN_LIMIT, point);
    live.kill();
    remove(bench, &nodes, node);
    bench.history(run).events().len()
}

/// Who came after `killed` events found the lost node before it did anything, and launched that one alone. Returns the
/// generation in which it did.
#[track_caller]
fn found_first(history: &History, killed: usize, launch: &str, node: &str) -> u64 {
    let news = &history.events()[killed..];
    let stale = news
        .iter()
        .find(|event| ["step_stale", "step_started"].contains(&event["kind"].as_str().unwrap_or_default()));
    let stale = stale.expect("an event of a step");
    assert_eq!(
        (&stale["kind"], &stale["step"], &stale["item"]),
        (&"step_stale".into(), &launch.into(), &node.into()),
        "{stale}"
    );
    let launched: Vec<_> = news
        .iter()
        .filter(|event| event["kind"] == "step_started" && !event["item"].is_null())
        .filter(|event| event["step"].as_str().unwrap_or_default().starts_with("launch-"))
        .map(|event| &event["item"])
        .collect();
    assert_eq!(launched, [node]);
    stale["generation"].as_u64().unwrap_or_default()
}

/// A machine that is only stopped is named before anything acts, with the command that starts it; one that is gone together with the
/// network is made anew in another.
#[test]
fn a_stopped_node_is_named_and_a_lost_network_is_made_anew() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "1"]);
    let run = live.run();
    let mut watch = Watch::new(bench.journal(), &run, 0);
    watch.point(&mut live, RUN_LIMIT, Point::started("hostnames"));
    live.kill();
    let nodes = bench.nodes(&run);
    let slave = nodes.of("slave")[0];
    bench
        .engine()
        .run(&["stop", "--time", "0", &slave.container])
        .ok();
    let begun = |bench: &Bench| bench.history(&run).of("step_started", 1).count();
    let before = begun(&bench);
    let said = bench.say(&["resume", &run]).ended(130);
    let start = format!("start {}`", slave.container);
    said.complains(&[&slave.name, &slave.container, "does not run", &start, "resume"]);
    assert_eq!(begun(&bench), before, "something began");

    let network = bench.engine().networks(&cluster);
    assert_eq!(network.len(), 1, "{network:?}");
    for node in nodes.all() {
        remove(&bench, &nodes, &node.name);
    }
    bench.engine().run(&["network", "rm", &network[0]]).ok();
    bench.say(&["resume", &run]).ended(0);
    bench.status(&run).all_done();
    let history = bench.history(&run);
    let stale = history
        .of("step_stale", 1)
        .find(|event| event["step"] == "security-groups");
    assert!(
        stale.unwrap()["reason"].as_str().unwrap().contains(&network[0]),
        "{stale:?}"
    );
    assert_healthy(&bench.nodes(&run));
}

pub(crate) fn remove(bench: &Bench, nodes: &Nodes, name: &str) {
    let node = nodes.all().iter().find(|node| node.name == name).unwrap();
    bench
        .engine()
        .run(&["rm", "--force", "--volumes", &node.container])
        .ok();
}

/// One node is another one, under the next name; the others are what they were.
#[track_caller]
fn made_anew_alone(bench: &Bench, run: &str, before: &Nodes, name: &str) {
    let now = bench.nodes(run);
    for (old, new) in before.all().iter().zip(now.all()) {
        assert_eq!(old.name, new.name);
        match old.name == name {
            true => assert_ne!(old.container, new.container, "{name} is the old one"),
            false => assert_eq!(old.container, new.container, "{} was made anew", old.name),
        }
    }
}
