//! A cluster on EC2 that is stopped and started: spot slaves end and others take their places and their volumes, the disks of the
//! instances are wiped, and no console shows a host key any more.

use mesosflow_tests::{Bench, Cloud, FileSystem, Hdfs, Nodes, RUN_LIMIT, assert_healthy};

use super::stage::{CONFIG, Stage};
use crate::random::Random;

/// From where administrators come by the time it is started, and once it is configured.
const NEW: &str = "198.51.100.9/32";
const NEWER: &str = "192.0.2.0/24";

#[test]
fn a_cluster_on_ec2_is_stopped_and_started() {
    let mut random = Random::new();
    let mut bench = Bench::new();
    let cloud = Cloud::with_nodes(&mut bench);
    bench.config(&format!("{}{CONFIG}", bench.forgets_soon()));
    let mut stage = Stage::on(bench, cloud, 1, 2);
    let subnet = stage.cloud.subnet().id.clone();
    let said = stage.run(&["--subnet", &subnet, "--spot-price", "0.10", "--ebs-vol-size", "8"]);
    let run = said.ended(0).run();
    let nodes = stage.bench.nodes(&run);
    let persistent = Hdfs::Persistent.file_system(&nodes);
    put(&nodes, Hdfs::Persistent);
    put(&nodes, Hdfs::Ephemeral);
    let old = stage.machines(&run);

    // Before anything is touched.
    let said = stage.bench.say(&["stop", "--yes"]).ended(3);
    said.complains(&["spot", "--terminate-spot", &stage.cluster]);
    assert_eq!(stage.cloud.calls("StopInstances").len(), 0);

    stage.ended_once_killed(&mut random, &["stop", "--terminate-spot", "--yes"]);
    for machine in &old {
        let now = stage.cloud.world().instance(&machine.id);
        let expected = match machine.tag("mesosflow:role") {
            "slave" => "terminated",
            _ => "stopped",
        };
        assert_eq!(now.state, expected, "{now:?}");
    }
    let view = stage.bench.say(&["clusters", "--json"]).ended(0).json();
    assert_eq!(view[0]["state"], "stopped", "{view}");
    assert_eq!(view[0]["slaves"], 0, "{view}");
    let consoles = stage.cloud.calls("GetConsoleOutput").len();

    stage.ended_once_killed(&mut random, &["start", "--admin-cidr", NEW]);
    stage.assert_doors(NEW);
    let machines = stage.machines(&run);
    let mut names: Vec<_> = machines
        .iter()
        .map(|machine| machine.tag("Name").to_owned())
        .collect();
    names.sort();
    let cluster = stage.cluster.clone();
    assert_eq!(
        names,
        ["master-1", "slave-1", "slave-2"].map(|name| format!("{cluster}-{name}"))
    );
    let is_old = |id: &str| old.iter().any(|machine| machine.id == id);
    for machine in &machines {
        let is_master = machine.tag("mesosflow:role") == "master";
        assert_eq!(is_old(&machine.id), is_master, "{machine:?}");
    }
    // The first master's key was pinned when it first came up.
    let asked = stage.cloud.calls("GetConsoleOutput").into_iter().skip(consoles);
    let hub = machines.iter().find(|machine| is_old(&machine.id)).unwrap();
    for call in asked {
        assert!(
            !call.parameters.iter().any(|(_, value)| *value == hub.id),
            "{call:?}"
        );
    }

    let nodes = stage.bench.nodes(&run);
    assert_healthy(&nodes);
    assert_eq!(
        Hdfs::Persistent.file_system(&nodes),
        persistent,
        "it was formatted"
    );
    let slaves = nodes.of("slave");
    let text = slaves[0].ask(&Hdfs::Persistent.command("dfs -cat /kept"));
    assert_eq!(text, "kept");
    is_whole(&Hdfs::Ephemeral.file_system(&nodes));

    // The deploy acts on the machines that there are now, and lets in who was let in last.
    let replay = ["replay", &run, "--from", "mesos-stop"];
    stage.bench.start(&replay).finish(RUN_LIMIT).ended(0);
    let after: Vec<_> = stage
        .machines(&run)
        .into_iter()
        .map(|machine| machine.id)
        .collect();
    assert!(
        machines.iter().all(|machine| after.contains(&machine.id)),
        "{after:?}"
    );
    assert_healthy(&stage.bench.nodes(&run));
    assert_eq!(stage.bench.status(&run).state(), "succeeded");
    let history = stage.bench.history(&run);
    let amended: Vec<_> = history
        .events()
        .iter()
        .filter(|event| event["kind"] == "spec_amended")
        .map(|event| event["value"][0].clone())
        .collect();
    assert_eq!(amended, [NEW]);
    let replay = ["replay", &run, "--from", "security-groups", "--only"];
    stage.bench.start(&replay).finish(RUN_LIMIT).ended(0);
    stage.assert_doors(NEW);

    configured(&mut stage, &mut random);
    of_another_type(&mut stage, &mut random, &run);
    replaced(&mut stage, &mut random, &run);
    stage.destroy(&run);
    for machine in machines {
        stage.cloud.wait_gone(&machine.id);
    }
    let label = stage.cloud.label().to_owned();
    assert_eq!(stage.bench.engine().containers(&label), Vec::<String>::new());
}

/// Everything carries other tags, and administrators come from elsewhere; what the file does not name stays. Empty tags go.
fn configured(stage: &mut Stage, random: &mut Random) {
    let tagged = |stage: &Stage, value: Option<&str>| {
        let cluster = &stage.cluster;
        let world = stage.cloud.world();
        let machines = world.alive_instances().into_iter();
        let machines = machines.filter(|machine| machine.tag("mesosflow:cluster") == cluster);
        let machines: Vec<_> = machines.map(|machine| machine.tags).collect();
        let groups = world.groups(cluster).into_iter().map(|group| group.tags);
        let volumes = world.volumes().into_iter().map(|volume| volume.tags);
        let all: Vec<_> = machines.into_iter().chain(groups).chain(volumes).collect();
        assert!(all.len() > 6, "{all:?}");
        for tags in all {
            assert_eq!(tags.get("team").map(String::as_str), value, "{tags:?}");
        }
    };
    tagged(stage, None);
    stage.bench.config(&format!("swap_mb = 4000000000\n{CONFIG}"));
    stage
        .bench
        .say(&["configure", "--yes"])
        .ended(1)
        .complains(&["`swap_mb`", "has room"]);
    let file = format!("{CONFIG}admin_cidr = ['{NEWER}']\n[ec2.tags]\nteam = 'blue'\n");
    stage.bench.config(&file);
    let plan = stage.bench.say(&["plan", "configure", "--json"]).ended(0).json();
    let steps = plan["steps"].to_string();
    assert!(
        steps.contains("security-groups") && steps.contains("tag-resources"),
        "{plan}"
    );
    stage.ended_once_killed(random, &["configure", "--yes"]);
    tagged(stage, Some("blue"));
    stage.assert_doors(NEWER);
    stage.bench.config(&format!("{CONFIG}tags = {{}}\n"));
    stage
        .bench
        .start(&["configure", "--yes"])
        .finish(RUN_LIMIT)
        .ended(0);
    tagged(stage, None);
    stage.assert_doors(NEWER);
}

/// A slave of another type comes and goes; one with other disks does not.
fn of_another_type(stage: &mut Stage, random: &mut Random, run: &str) {
    let add = |kind| ["add-slaves", "1", "--instance-type", kind, "--yes"];
    stage
        .bench
        .say(&add("m5d.large"))
        .ended(2)
        .complains(&["m5d.large", "1 ephemeral disks", "have 0"]);
    let added = stage.ended_once_killed(random, &add("m5.xlarge"));
    let only = |stage: &Stage| {
        let mut machines = stage.machines(run);
        machines.retain(|machine| machine.kind == "m5.xlarge");
        assert_eq!(machines.len(), 1, "{machines:?}");
        (
            machines[0].id.clone(),
            machines[0].tag("mesosflow:generation").to_owned(),
        )
    };
    let (first, generation) = only(stage);
    assert_healthy(&stage.bench.nodes(run));
    // Another one in its place, and none in that of others.
    let again = ["replay", &added, "--from", "launch-slaves", "--yes"];
    stage.bench.start(&again).finish(RUN_LIMIT).ended(0);
    let (second, its_generation) = only(stage);
    assert_ne!(first, second);
    assert!(
        generation.starts_with("1-") && its_generation.starts_with("2-"),
        "{generation}, {its_generation}"
    );
    assert_healthy(&stage.bench.nodes(run));
    let away = ["remove-slaves", "slave-3", "--yes"];
    stage.bench.start(&away).finish(RUN_LIMIT).ended(0);
}

/// A slave whose machine has ended and the first master get other machines, with the volumes of before. The stand-in for EC2 never gives the
/// address of one that has ended to another: it is asked for, and what comes is another one.
fn replaced(stage: &mut Stage, random: &mut Random, run: &str) {
    for (name, is_dead) in [("slave-1", true), ("master-1", false)] {
        let long = format!("{}-{name}", stage.cluster);
        let machine = |stage: &Stage| {
            let mut machines = stage.machines(run).into_iter();
            let found = machines.find(|machine| machine.tag("Name") == long).unwrap();
            let volume = found.volumes.iter().find(|(device, _)| device == "/dev/sdv");
            let volume = volume.map(|(_, volume)| volume.clone());
            (found.id, found.private_ip, volume.unwrap())
        };
        let (id, address, volume) = machine(stage);
        if is_dead {
            stage.cloud.world().terminate(&id);
        }
        stage.ended_once_killed(random, &["replace-node", name, "--yes"]);
        let (new, its_address, its_volume) = machine(stage);
        assert_ne!(new, id);
        assert_eq!(its_volume, volume, "{name}");
        let asked = stage.cloud.calls("RunInstances").into_iter();
        let asked = asked.filter(|call| call.parameters.iter().any(|(_, value)| *value == address));
        assert!(asked.count() > 0, "{address} was never asked for");
        assert!(!its_address.is_empty());
        let nodes = stage.bench.nodes(run);
        assert_healthy(&nodes);
        let text = nodes.of("slave")[0].ask(&Hdfs::Persistent.command("dfs -cat /kept"));
        assert_eq!(text, "kept");
    }
    let check = stage.bench.check();
    assert_eq!(check["healthy"], true, "{check}");
}

fn put(nodes: &Nodes, hdfs: Hdfs) {
    let put = hdfs.command("dfs -put -f - /kept");
    nodes.hub().ask(&format!("echo kept | {put}"));
}

/// It was formatted by somebody.
#[track_caller]
fn is_whole(file_system: &FileSystem) {
    assert!(!file_system.block_pool.is_empty());
}
