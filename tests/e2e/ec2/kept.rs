//! The volume of a place outlives its machine: the next one gets it back, with what is on it, and `destroy` ends it.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Tag;
use mesosflow_tests::{AMI_FULL, Bench, Cloud, RUN_LIMIT};

use super::stage::Stage;

const VOLUME: [&str; 2] = ["--ebs-vol-size", "8"];

/// The volume at `/dev/sdv` of each machine that is alive, by the machine's name.
fn volumes(stage: &Stage, run: &str) -> BTreeMap<String, Vec<String>> {
    let machines = stage.machines(run);
    let of = |machine: &mesosflow_tests::Instance| {
        let at = machine.volumes.iter().filter(|(device, _)| device == "/dev/sdv");
        at.map(|(_, volume)| volume.clone()).collect()
    };
    machines
        .iter()
        .map(|machine| (machine.tag("Name").to_owned(), of(machine)))
        .collect()
}

/// A spot slave is interrupted; the launch of its successor is killed where the machine is there and its volume is not yet
/// attached; all machines are replaced.
#[test]
fn the_next_machine_of_a_place_gets_its_volume_also_after_a_kill_in_between() {
    let mut stage = Stage::new();
    let live = stage.start(&[&VOLUME[..], &["--spot-price", "0.10"]].concat());
    let run = stage.until_machines(live, 0);
    let before = volumes(&stage, &run);
    assert!(
        before.len() == 2 && before.values().all(|held| held.len() == 1),
        "{before:?}"
    );
    let machines = stage.machines(&run);
    let slave = machines
        .iter()
        .find(|machine| machine.tag("mesosflow:role") == "slave")
        .unwrap();
    stage.cloud.world().terminate(&slave.id);
    let known = stage.cloud.world().volumes();
    for volume in before.values().flatten() {
        let kept = known.iter().find(|kept| kept.id == *volume);
        let tags = &kept.unwrap_or_else(|| panic!("{volume} is gone")).tags;
        assert!(
            ["role", "index"]
                .iter()
                .all(|tag| tags.contains_key(&format!("mesosflow:{tag}")))
        );
    }

    a_lost_journals_volumes_are_shown(&mut stage, before.values().flatten());

    let after = stage.bench.history(&run).events().len() as u64;
    let held = stage.cloud.hold("AttachVolume");
    let live = stage
        .bench
        .start(&["replay", &run, "--from", "launch-slaves", "--yes"]);
    held.wait_reached(RUN_LIMIT);
    live.kill();
    held.release();
    stage.cloud.heal();
    let live = stage.bench.start(&["resume", &run]);
    stage.until_machines(live, after);
    assert_eq!(
        volumes(&stage, &run),
        before,
        "each place has the volume that it had"
    );
    // One volume for the file system of each place, and one root disk.
    assert_eq!(stage.cloud.world().volumes().len(), 4);
    stage.destroy(&run);
}

/// Also the one that no machine has.
fn a_lost_journals_volumes_are_shown<'v>(stage: &mut Stage, mut volumes: impl Iterator<Item = &'v String>) {
    let endpoint = stage.cloud.endpoint();
    let words = [
        "list",
        "--orphans",
        "--json",
        "--provider",
        "ec2",
        "--endpoint-url",
        &endpoint,
    ];
    let journal = stage.bench.journal().to_owned();
    stage.bench.set_journal(journal.with_file_name("another.sqlite"));
    let orphans = stage.bench.say(&words).ended(0).json();
    stage.bench.set_journal(journal);
    let orphans = orphans.as_array().unwrap();
    assert!(volumes.all(|volume| orphans.iter().any(|orphan| orphan["id"] == volume.as_str())));
}

/// The machine of a place is gone, and somebody looks at its volume on a machine of their own: no empty one takes its place. Nor
/// does any where there are two.
#[test]
fn a_volume_that_somebody_else_has_attached_is_not_replaced_by_an_empty_one() {
    let mut stage = Stage::new();
    let live = stage.start(&VOLUME);
    let run = stage.until_machines(live, 0);
    let before = volumes(&stage, &run);
    let machines = stage.machines(&run);
    let is_slave = |machine: &&mesosflow_tests::Instance| machine.tag("mesosflow:role") == "slave";
    let slave = machines.iter().find(is_slave).unwrap();
    let volume = before[slave.tag("Name")][0].clone();
    stage.cloud.world().terminate(&slave.id);
    let world = stage.cloud.world();
    let call = world.client().run_instances().image_id(AMI_FULL);
    let launched = world.wait(call.min_count(1).max_count(1).send());
    let rescue = launched.instances()[0].instance_id().unwrap().to_owned();
    let call = world.client().attach_volume().instance_id(&rescue);
    world.wait(call.volume_id(&volume).device("/dev/sdf").send());

    let launches = stage.cloud.calls("RunInstances").len();
    let held = format!("attached to {rescue} as /dev/sdf");
    stage
        .bench
        .say(&["resume", &run])
        .ended(130)
        .complains(&[&volume, &held, "detach-volume", "resume"]);
    assert_eq!(stage.cloud.calls("RunInstances").len(), launches);

    let world = stage.cloud.world();
    let call = world.client().detach_volume().instance_id(&rescue);
    world.wait(call.volume_id(&volume).send());
    let tags = world.volumes().into_iter().find(|found| found.id == volume);
    let tags = tags.unwrap().tags.into_iter();
    let twin = world
        .client()
        .create_volume()
        .size(8)
        .availability_zone("us-east-1a");
    let twin = world.wait(twin.send()).volume_id.unwrap();
    let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build());
    let call = world.client().create_tags().resources(&twin);
    world.wait(call.set_tags(Some(tags.collect())).send());
    stage
        .bench
        .say(&["resume", &run])
        .ended(130)
        .complains(&[&volume, &twin, "more than one volume"]);
    assert_eq!(stage.cloud.calls("RunInstances").len(), launches);

    let world = stage.cloud.world();
    world.wait(world.client().delete_volume().volume_id(&twin).send());
    stage.resume_until_machines(&run);
    assert_eq!(volumes(&stage, &run), before, "the place has another volume");
    stage.cloud.world().terminate(&rescue);
    stage.destroy(&run);
}

/// Somebody makes a volume and attaches it where a machine's own belongs, detaching that first where there is one.
fn attach_anothers(stage: &Stage, machine: &mesosflow_tests::Instance) -> String {
    let (world, client) = (stage.cloud.world(), stage.cloud.world().client());
    let own = machine.volumes.iter().filter(|(device, _)| device == "/dev/sdv");
    for (_, volume) in own {
        let call = client.detach_volume().volume_id(volume);
        world.wait(call.instance_id(&machine.id).send());
    }
    let found = world.wait(client.describe_instances().instance_ids(&machine.id).send());
    let instance = &found.reservations()[0].instances()[0];
    let zone = instance.placement().unwrap().availability_zone().unwrap();
    let made = world.wait(client.create_volume().availability_zone(zone).size(8).send());
    let volume = made.volume_id().unwrap().to_owned();
    let call = client.attach_volume().volume_id(&volume).device("/dev/sdv");
    world.wait(call.instance_id(&machine.id).send());
    volume
}

/// A history of which nothing can be read but its first events.
fn damage(stage: &Stage, run: &str) {
    let journal = rusqlite::Connection::open(stage.bench.journal()).unwrap();
    let look = "SELECT sql FROM sqlite_schema WHERE name = 'events_are_never_changed'";
    let trigger: String = journal.query_row(look, [], |row| row.get(0)).unwrap();
    let drop = "PRAGMA ignore_check_constraints = on; DROP TRIGGER events_are_never_changed";
    journal.execute_batch(drop).unwrap();
    let change = "UPDATE events SET body = body || ' ' WHERE run = ?1 AND seq > 3";
    assert!(journal.execute(change, [run]).unwrap() > 0);
    journal.execute_batch(&trigger).unwrap();
}

/// What was formatted may stand in the part of a history that is damaged: the account says what there is, before anybody is asked.
#[test]
fn a_damaged_runs_volumes_are_named_before_they_are_deleted() {
    let mut stage = Stage::new();
    let live = stage.start(&VOLUME);
    let run = stage.until_machines(live, 0);
    let held: Vec<_> = volumes(&stage, &run).into_values().flatten().collect();
    assert_eq!(held.len(), 2, "{held:?}");
    damage(&stage, &run);
    let mut words = vec!["damaged", "may hold a persistent HDFS"];
    words.extend(held.iter().map(String::as_str));
    stage.bench.say(&["destroy", &run]).ended(3).complains(&words);
    stage.bench.say(&["destroy", &run, "--yes"]).ended(0);
    assert_eq!(stage.cloud.world().left(&run), Vec::<String>::new());
}

fn master(stage: &Stage, run: &str) -> mesosflow_tests::Instance {
    let machines = stage.machines(run).into_iter();
    let mut masters = machines.filter(|machine| machine.tag("mesosflow:role") == "master");
    masters.next().unwrap()
}

/// A volume of somebody's in the place of a machine's own is refused before anything is done with it, and outlives the cluster;
/// where none is wanted, it is nobody's business.
#[test]
fn a_volume_of_somebodys_in_the_place_of_a_machines_own_is_refused() {
    let mut stage = Stage::new();
    let live = stage.start(&VOLUME);
    let run = stage.until_machines(live, 0);
    let machines = stage.machines(&run);
    let mut theirs: Vec<_> = machines
        .iter()
        .map(|machine| attach_anothers(&stage, machine))
        .collect();
    let mut words = vec!["is not its own", "/dev/sdv", "detach it"];
    words.extend(theirs.iter().map(String::as_str));
    stage.bench.say(&["resume", &run]).ended(130).complains(&words);
    assert!(theirs.iter().all(|volume| !stage.recorded(&run).contains(volume)));
    stage.destroy(&run);

    stage.next();
    let live = stage.start(&[]);
    let run = stage.until_machines(live, 0);
    let also_theirs = attach_anothers(&stage, &master(&stage, &run));
    stage.resume_until_machines(&run);
    assert!(!stage.recorded(&run).contains(&also_theirs));
    stage.destroy(&run);
    let left: Vec<_> = stage
        .cloud
        .world()
        .volumes()
        .into_iter()
        .map(|volume| volume.id)
        .collect();
    theirs.push(also_theirs);
    assert!(theirs.iter().all(|volume| left.contains(volume)), "{left:?}");
}

/// A volume cannot be attached in another zone: that is said, and nothing is launched instead.
#[test]
fn a_volume_in_another_zone_than_the_subnet_is_named_and_stays() {
    let mut stage = Stage::new();
    let live = stage.start(&VOLUME);
    let run = stage.until_machines(live, 0);
    let elsewhere = mesosflow_tests::What::Rewrite(|answer| {
        answer.replace("<availabilityZone>us-east-1", "<availabilityZone>us-east-9")
    });
    let fault = mesosflow_tests::Fault::new("DescribeVolumes", mesosflow_tests::Which::All, elsewhere);
    stage.cloud.fault(fault);
    let launched = stage.cloud.calls("RunInstances").len();
    let said = stage
        .bench
        .say(&["replay", &run, "--from", "launch-slaves", "--yes"]);
    said.complains(&[
        "cannot have its volume vol-",
        "us-east-9",
        "use a subnet in that zone",
    ]);
    assert_eq!(stage.cloud.calls("RunInstances").len(), launched);
    stage.cloud.heal();
    stage.destroy(&run);
}

/// Real machines: a file of the persistent HDFS is there after every machine was replaced, the namenode's too.
#[test]
fn the_persistent_hdfs_is_whole_after_all_machines_were_replaced() {
    let mut bench = Bench::new();
    let cloud = Cloud::with_nodes(&mut bench);
    bench.config("[shared_volume]\nfallback = 'sshfs'\n");
    let mut stage = Stage::on(bench, cloud, 1, 1);
    let subnet = stage.cloud.subnet().id.clone();
    let mut live = stage.start(&[&VOLUME[..], &["--subnet", &subnet]].concat());
    let run = live.run();
    live.finish(RUN_LIMIT).ended(0);
    let before = volumes(&stage, &run);
    let hdfs = "/root/persistent-hdfs/bin/hdfs dfs";
    let put = format!("echo 'written before' | {hdfs} -put - /kept");
    stage.bench.nodes(&run).hub().ask(&put);

    stage
        .bench
        .say(&["replay", &run, "--from", "launch-slaves", "--yes"])
        .ended(0);
    assert_eq!(volumes(&stage, &run), before);
    let nodes = stage.bench.nodes(&run);
    assert_eq!(nodes.hub().ask(&format!("{hdfs} -cat /kept")), "written before");

    // What goes with a destroy is named before it is asked about.
    let named: Vec<_> = before.values().flatten().map(String::as_str).collect();
    let mut words = vec!["the persistent HDFS, which outlives its machines"];
    words.extend(&named);
    stage.bench.say(&["destroy", &run]).ended(3).complains(&words);
    stage.destroy(&run);
}

/// A disk that a user has attached to a node is theirs, whichever way the node ends; so is one that a journal names and that does
/// not say that mesosflow made it.
#[test]
fn a_volume_of_somebody_elses_outlives_the_node_that_it_was_attached_to() {
    let mut stage = Stage::new();
    let live = stage.start(&VOLUME);
    let run = stage.until_machines(live, 0);
    let slave = stage
        .machines(&run)
        .into_iter()
        .find(|machine| machine.tag("mesosflow:role") == "slave")
        .unwrap();
    let attach = |stage: &Stage, instance: &str, device: &str| {
        let world = stage.cloud.world();
        let call = world
            .client()
            .create_volume()
            .size(1)
            .availability_zone("us-east-1a");
        let id = world.wait(call.send()).volume_id.unwrap();
        let call = world
            .client()
            .attach_volume()
            .instance_id(instance)
            .volume_id(&id);
        world.wait(call.device(device).send());
        id
    };
    let theirs = attach(&stage, &slave.id, "/dev/sdf");
    let after = stage.bench.history(&run).events().len() as u64;
    let live = stage
        .bench
        .start(&["replay", &run, "--from", "launch-slaves", "--yes"]);
    stage.until_machines(live, after);
    let there = |stage: &Stage, id: &str| stage.cloud.world().volumes().iter().any(|volume| volume.id == id);
    assert!(there(&stage, &theirs), "deleted with the node");

    // One that the journal has for the run's, as an older program recorded what it saw.
    let named = volumes(&stage, &run).into_values().flatten().next().unwrap();
    let tag = Tag::builder().key("mesosflow:run").build();
    let untag = stage.cloud.world().client().delete_tags().resources(&named);
    stage.cloud.world().wait(untag.tags(tag).send());
    let said = stage.bench.say(&["destroy", &run, "--yes"]).ended(0);
    assert!(
        said.err.contains(&named) && said.err.contains("left alone"),
        "{}",
        said.err
    );
    assert!(there(&stage, &named) && there(&stage, &theirs));
    assert!(!said.out.contains(&named), "{}", said.out);
    stage.assert_gone(&run);
}
