//! Replay, on a finished cluster: what is refused changes nothing; steps before `--from` keep their outcomes, the others
//! run again in a new generation; a replayed format makes a new file system on both sides and touches no other; the
//! history of each generation stays.

use std::collections::BTreeSet;

use mesosflow_tests::{Bench, Hdfs, Point, RUN_LIMIT, Watch, assert_healthy};

/// What does not depend on who else is there: on few nodes, each of which is set up several times.
#[test]
fn a_cluster_is_replayed_from_a_step_on_and_in_part() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let said = bench.say(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "2"]);
    let run = said.ended(0).run();
    refused(&mut bench, &run, &cluster);
    ephemeral_format(&mut bench, &run);
    persistent_format(&mut bench, &run);
    only_the_machines(&mut bench, &run, &cluster);
    a_part(&mut bench, &run);
    closed(&mut bench, &run);
}

fn refused(bench: &mut Bench, run: &str, cluster: &str) {
    let before = bench.history(run).events().len();
    let containers = bench.engine().containers(cluster);
    bench.say(&["resume", run]).ended(3).complains(&["has succeeded"]);
    bench
        .say(&["run", "--cluster", cluster])
        .ended(3)
        .complains(&[cluster, run]);
    bench
        .say(&["replay", run, "--from", "hdfs-format"])
        .ended(3)
        .complains(&["hdfs-format", "--yes"]);
    bench
        .say(&["replay", run, "--from", "hdfs-fromat", "--yes"])
        .ended(2)
        .complains(&["hdfs-fromat", "hdfs-format"]);
    assert_eq!(
        bench.history(run).events().len(),
        before,
        "refused, and yet there are new events"
    );
    assert_eq!(bench.engine().containers(cluster), containers);
}

fn ephemeral_format(bench: &mut Bench, run: &str) {
    let nodes = bench.nodes(run);
    let before = Hdfs::BOTH.map(|hdfs| hdfs.file_system(&nodes));
    let first = bench.history(run).events().to_vec();

    bench
        .say(&["replay", run, "--from", "hdfs-format", "--yes"])
        .ended(0);
    ran_again_from(bench, run, "hdfs-format", 2);
    assert_eq!(
        bench.history(run).events()[..first.len()],
        first,
        "the history of the first generation"
    );
    assert_eq!(bench.nodes(run).containers(), nodes.containers());

    let [ephemeral, persistent] = Hdfs::BOTH.map(|hdfs| hdfs.file_system(&nodes));
    assert_ne!(ephemeral.cluster_id, before[0].cluster_id);
    assert_ne!(ephemeral.block_pool, before[0].block_pool);
    assert_eq!(
        persistent, before[1],
        "a replay that does not name its format touches the persistent HDFS"
    );
    assert_healthy(&nodes);
}

fn persistent_format(bench: &mut Bench, run: &str) {
    let nodes = bench.nodes(run);
    let before = Hdfs::BOTH.map(|hdfs| hdfs.file_system(&nodes));
    bench
        .say(&["replay", run, "--from", "persistent-hdfs-format", "--yes"])
        .ended(0);
    ran_again_from(bench, run, "persistent-hdfs-format", 3);
    let [ephemeral, persistent] = Hdfs::BOTH.map(|hdfs| hdfs.file_system(&nodes));
    assert_eq!(ephemeral, before[0]);
    assert_ne!(persistent.cluster_id, before[1].cluster_id);
    assert_ne!(persistent.block_pool, before[1].block_pool);
    assert_healthy(&nodes);
}

/// New machines in place of the old ones, under the same names and addresses, in every role: of the demo cluster, see
/// [`crate::demo_cluster`].
pub(crate) fn machines(bench: &mut Bench, run: &str, cluster: &str) {
    let old = bench.engine().containers(cluster);
    let volumes = bench.engine().volumes(&old);
    bench
        .start(&["replay", run, "--from", "launch-slaves", "--yes"])
        .finish(RUN_LIMIT)
        .ended(0);
    ran_again_from(bench, run, "launch-slaves", 2);
    let nodes = bench.nodes(run);
    let new = bench.engine().containers(cluster);
    assert_eq!(new, nodes.containers());
    assert_eq!(new.len(), old.len());
    assert!(
        new.iter().all(|name| !old.contains(name)),
        "an old node is left: {old:?}, {new:?}"
    );
    let left: Vec<_> = volumes
        .iter()
        .filter(|volume| bench.engine().has_volume(volume))
        .collect();
    assert!(left.is_empty(), "volumes of the old nodes are left: {left:?}");
    assert_eq!(bench.engine().networks(cluster).len(), 1);
    assert_healthy(&nodes);
}

/// One step only, and one that gives bare machines: that is no cluster, and is not called one. A resume makes it one, without
/// formatting anything over.
fn only_the_machines(bench: &mut Bench, run: &str, cluster: &str) {
    let nodes = bench.nodes(run);
    let before = Hdfs::BOTH.map(|hdfs| hdfs.file_system(&nodes));
    let old = bench.engine().containers(cluster);
    bench
        .say(&["replay", run, "--from", "launch-slaves", "--only", "--yes"])
        .ended(0)
        .tells(&["not complete", "await-nodes", "resume"]);
    let status = bench.status(run);
    assert_eq!(status.state(), "partial");
    for step in [
        "await-nodes",
        "hostnames",
        "setup-nodes",
        "redeploy-mesos",
        "hdfs-start",
    ] {
        assert_eq!(status.step(step)["state"], "stale", "{step}");
    }
    let slaves = old.iter().filter(|name| name.contains("slave")).count();
    let replaced = bench.engine().containers(cluster);
    assert_eq!(replaced.iter().filter(|name| !old.contains(name)).count(), slaves);

    bench.start(&["resume", run]).finish(RUN_LIMIT).ended(0);
    let status = bench.status(run);
    status.all_done();
    assert_eq!(status.generation(), 4);
    let nodes = bench.nodes(run);
    for (hdfs, before) in Hdfs::BOTH.into_iter().zip(before) {
        let now = hdfs.file_system(&nodes);
        assert_eq!(now.cluster_id, before.cluster_id, "formatted over by a resume");
    }
    assert_healthy(&nodes);
}

/// A replay that ends in the middle says so, and a resume does the rest.
fn a_part(bench: &mut Bench, run: &str) {
    bench
        .say(&["replay", run, "--from", "render-config", "--to", "setup-options"])
        .ended(0)
        .tells(&["not complete", "hostnames"]);
    let status = bench.status(run);
    assert_eq!(status.state(), "partial");
    assert_eq!(status.step("setup-options")["state"], "succeeded");
    assert_eq!(status.step("report")["state"], "stale");
    let listed = bench.say(&["list", "--json"]).ended(0).json();
    let states: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["state"])
        .collect();
    assert!(states.contains(&&serde_json::json!("partial")), "{states:?}");
    bench.start(&["resume", run]).finish(RUN_LIMIT).ended(0);
    bench.status(run).all_done();
    assert_healthy(&bench.nodes(run));
}

/// A replay that died and is closed names what is left to do, by itself or by another run: the cluster is free for either.
fn closed(bench: &mut Bench, run: &str) {
    let known = bench.history(run).events().len() as u64;
    let mut live = bench.start(&["replay", run, "--from", "push-config", "--to", "mesos-roles"]);
    let point = Point::started("setup-nodes");
    Watch::new(bench.journal(), run, known).point(&mut live, RUN_LIMIT, point);
    live.kill();
    bench.say(&["close", run]).ended(3).complains(&["--yes"]);
    bench
        .say(&["close", run, "--yes"])
        .ended(0)
        .tells(&["setup-nodes", &format!("replay {run} --from setup-nodes")]);
    bench.say(&["resume", run]).ended(3).complains(&["closed"]);
    let plan = bench.say(&["plan", "add-slaves", "1", "--json"]).ended(0).json();
    assert_eq!(plan["machines"][0]["action"], "launch", "{plan}");
    bench
        .start(&["replay", run, "--from", "setup-nodes", "--to", "mesos-roles"])
        .finish(RUN_LIMIT)
        .ended(0);
    bench.start(&["resume", run]).finish(RUN_LIMIT).ended(0);
    bench.status(run).all_done();
    assert_healthy(&bench.nodes(run));
}

/// Asserts that just the steps from `from` on ran in `generation`, and that all are done.
fn ran_again_from(bench: &Bench, run: &str, from: &str, generation: u64) {
    let status = bench.status(run);
    status.all_done();
    assert_eq!(status.generation(), generation);
    let place = status.place(from);
    let ids = |steps: &[serde_json::Value]| -> BTreeSet<String> {
        let begun = steps.iter().filter(|step| step["state"] != "skipped");
        begun
            .map(|step| step["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let history = bench.history(run);
    history.assert_well_formed();
    history.assert_nothing_done_twice();
    assert_eq!(
        history.started_steps(generation),
        ids(&status.steps()[place..]),
        "steps of generation {generation}"
    );
    for (index, step) in status.steps().iter().enumerate() {
        let is_new = step["generation"] == generation;
        assert_eq!(is_new, index >= place, "{step:#}");
    }
}
