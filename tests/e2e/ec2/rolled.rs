//! A cluster on EC2 gets another Mesos, killed on the way; and whatever may be undone is undone there when it has died in the middle:
//! another Mesos, slaves that were to come or to leave, another configuration, a stop, a start. No machine is doubled or unknown.

use std::collections::BTreeSet;

use mesosflow_tests::{Bench, Cloud, Hdfs, Point, RUN_LIMIT, until_up};

use super::stage::{ADMINS, Stage};
use crate::random::Random;
use crate::redeployed::{SECOND, SILENT, SOUND, THIRD, cut_off, is_whole, silenced, tarball};
use crate::stopped::{read, write};

/// The slaves' kernel has no NFS client here.
const CONFIG: &str = "[shared_volume]\nfallback = 'sshfs'\n[ec2]\nsettle_limit_s = 1\n";

#[test]
fn what_was_begun_on_ec2_is_gone_on_with_or_undone() {
    let mut random = Random::new();
    let mut bench = Bench::new();
    let (second, third) = (tarball(&bench, SECOND, SOUND), tarball(&bench, THIRD, SILENT));
    let (second, third) = (second.to_str().unwrap(), third.to_str().unwrap());
    let cloud = Cloud::with_nodes(&mut bench);
    bench.config(&format!("{}{CONFIG}", bench.forgets_soon()));
    let mut stage = Stage::on(bench, cloud, 1, 2);
    let subnet = stage.cloud.subnet().id.clone();
    let deploy = stage.run(&["--subnet", &subnet]).ended(0).run();
    write(&stage.bench.nodes(&deploy), "before");
    let machines = ids(&stage, &deploy);

    stage.ended_once_killed(&mut random, &["redeploy", "--mesos-url", second, "--yes"]);
    is_as_before(&mut stage, &deploy, &machines);

    let nodes = stage.bench.nodes(&deploy);
    let run = silenced(
        &mut stage.bench,
        &nodes,
        &["redeploy", "--mesos-url", third, "--yes"],
    );
    undone(&mut stage, &mut random, &run);
    is_as_before(&mut stage, &deploy, &machines);

    // One machine is there, and on its way to become a slave.
    let run = begun(
        &mut stage,
        &["add-slaves", "1"],
        Point::item_started("setup-nodes"),
    );
    let grown = ids(&stage, &deploy);
    assert_eq!(grown.len(), machines.len() + 1, "{grown:?}");
    undone(&mut stage, &mut random, &run);
    for gone in grown.difference(&machines) {
        stage.cloud.wait_gone(gone);
    }
    is_as_before(&mut stage, &deploy, &machines);

    let away = ["remove-slaves", "slave-2", "--yes"];
    let run = begun(&mut stage, &away, Point::started("hdfs-decommission"));
    undone(&mut stage, &mut random, &run);
    is_as_before(&mut stage, &deploy, &machines);

    configuration(&mut stage, &mut random);
    is_as_before(&mut stage, &deploy, &machines);

    // Mesos and HDFS are down, and no machine yet, or some.
    let run = begun(&mut stage, &["stop", "--yes"], Point::started("stop-machines"));
    undone(&mut stage, &mut random, &run);
    is_whole_again(&mut stage, &deploy, &machines);
    persistent_is_kept(&stage, &deploy);

    // What had come up is stopped once more, and starts.
    stage.bench.start(&["stop", "--yes"]).finish(RUN_LIMIT).ended(0);
    let run = begun(&mut stage, &["start"], Point::started("persistent-hdfs-start"));
    undone(&mut stage, &mut random, &run);
    for id in &machines {
        assert_eq!(stage.cloud.world().instance(id).state, "stopped");
    }
    let view = stage.bench.say(&["clusters", "--json"]).ended(0).json();
    assert_eq!(view[0]["state"], "stopped", "{view}");
    stage.bench.start(&["start"]).finish(RUN_LIMIT).ended(0);
    is_whole_again(&mut stage, &deploy, &machines);
    persistent_is_kept(&stage, &deploy);

    stage.destroy(&deploy);
    for id in &machines {
        stage.cloud.wait_gone(id);
    }
    let label = stage.cloud.label().to_owned();
    assert_eq!(stage.bench.engine().containers(&label), Vec::<String>::new());
}

/// Begins a workflow and kills it at that point; its run.
fn begun(stage: &mut Stage, args: &[&str], point: Point) -> String {
    cut_off(&mut stage.bench, args, point)
}

/// An unfinished run is undone, by a run that is killed on its way too.
fn undone(stage: &mut Stage, random: &mut Random, run: &str) {
    stage.ended_once_killed(random, &["rollback", run, "--yes"]);
    assert_eq!(stage.bench.status(run).state(), "closed");
}

/// Other tags, and administrators from elsewhere: neither is left.
fn configuration(stage: &mut Stage, random: &mut Random) {
    let team = |stage: &Stage| -> BTreeSet<Option<String>> {
        let world = stage.cloud.world();
        let machines = world.alive_instances().into_iter().map(|machine| machine.tags);
        let groups = world.groups(&stage.cluster).into_iter().map(|group| group.tags);
        let tags = machines.chain(groups);
        tags.filter(|tags| tags.get("mesosflow:cluster") == Some(&stage.cluster))
            .map(|tags| tags.get("team").cloned())
            .collect()
    };
    let file =
        format!("{CONFIG}admin_cidr = ['192.0.2.0/24']\n[ec2.tags]\nteam = 'blue'\n[hdfs]\nheap_mb = 230\n");
    stage.bench.config(&file);
    let run = begun(
        stage,
        &["configure", "--yes"],
        Point::item_started("restart-datanodes"),
    );
    assert_eq!(team(stage), [Some("blue".to_owned())].into());
    stage.assert_doors("192.0.2.0/24");
    undone(stage, random, &run);
    assert_eq!(team(stage), [None].into());
    stage.assert_doors(ADMINS);
    stage.bench.config(CONFIG);
}

/// The cluster's instances that are there.
fn ids(stage: &Stage, deploy: &str) -> BTreeSet<String> {
    stage
        .machines(deploy)
        .into_iter()
        .map(|machine| machine.id)
        .collect()
}

/// Neither file system has lost anything.
#[track_caller]
fn is_as_before(stage: &mut Stage, deploy: &str, machines: &BTreeSet<String>) {
    is_whole_again(stage, deploy, machines);
    read(&stage.bench.nodes(deploy), "before");
}

/// A machine that stops loses what is on its instance-store disks, and nothing else.
#[track_caller]
fn persistent_is_kept(stage: &Stage, deploy: &str) {
    let kept = Hdfs::Persistent.command("dfs -cat /before");
    assert_eq!(stage.bench.nodes(deploy).hub().ask(&kept), "written before");
}

/// Those machines and no others, of the Mesos that was rolled out; and the journal knows what there is.
#[track_caller]
fn is_whole_again(stage: &mut Stage, deploy: &str, machines: &BTreeSet<String>) {
    assert_eq!(ids(stage, deploy), *machines);
    stage.assert_as_planned(deploy);
    let nodes = stage.bench.nodes(deploy);
    until_up(&nodes);
    is_whole(&mut stage.bench, &nodes, SECOND);
}
