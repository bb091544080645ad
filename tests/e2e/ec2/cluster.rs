//! The whole deploy on EC2: a real machine behind every instance, configured by cloud-init out of its real user data.

use std::collections::BTreeSet;
use std::time::Duration;

use mesosflow_tests::{AMI_STOCK, Bench, Cloud, Point, RUN_LIMIT, Reached, Watch, assert_healthy};

use super::stage::{CONFIG, Stage};
use crate::random::{Random, is_sweep};

/// A machine asks its metadata for its role.
const ROLE: &str = "home=http://169.254.169.254/latest
token=$(curl -sf -m 20 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $home/api/token) &&
curl -sf -m 20 -H \"X-aws-ec2-metadata-token: $token\" $home/meta-data/tags/instance/mesosflow:role";
/// Kills of one bring-up, one after the other: in a sweep, and as a sample of that. They come so far apart that they reach its end.
const SWEPT: (u64, u64) = (20, 12);
const SAMPLED: (u64, u64) = (5, 45);

fn stage(masters: usize, slaves: usize) -> Stage {
    let mut bench = Bench::new();
    let cloud = Cloud::with_nodes(&mut bench);
    bench.config(CONFIG);
    Stage::on(bench, cloud, masters, slaves)
}

/// Two masters, two slaves on spot, a volume for each; killed again and again at random; replayed; destroyed.
#[test]
fn a_cluster_on_ec2_survives_kills_all_along_its_way() {
    let (most, apart) = if is_sweep() { SWEPT } else { SAMPLED };
    let mut random = Random::new();
    let mut stage = stage(2, 2);
    let subnet = stage.cloud.subnet().id.clone();
    let mut live = stage.start(&["--subnet", &subnet, "--spot-price", "0.10", "--ebs-vol-size", "8"]);
    let run = live.run();
    let mut kills = 0;
    while kills < most {
        let events = stage.bench.history(&run).events().len() as u64;
        // So that some come early in a step and some in the middle of it.
        let steps = 1 + random.below(apart);
        let due = |seen: &mesosflow_tests::Seen| seen.seq > events + steps;
        if let Reached::End = Watch::new(stage.bench.journal(), &run, events).until(&mut live, RUN_LIMIT, due)
        {
            break;
        }
        std::thread::sleep(Duration::from_millis(random.below(900)));
        live.kill();
        if stage.bench.status(&run).state() == "succeeded" {
            live = stage.bench.start(&["status", &run]);
            break;
        }
        kills += 1;
        stage.bench.history(&run).assert_nothing_done_twice();
        let machines = stage.machines(&run);
        let places: BTreeSet<_> = machines.iter().map(|machine| machine.tag("Name")).collect();
        assert_eq!(
            places.len(),
            machines.len(),
            "two machines in one place: {machines:?}"
        );
        live = stage.bench.start(&["resume", &run]);
    }
    println!("killed {kills} times");
    live.finish(RUN_LIMIT).ended(0);
    assert!(kills >= most / 2, "killed only {kills} times");
    whole(&stage, &run);
    mounted(&stage, &run);
    stranger_free(&stage, &run);

    let said = stage
        .bench
        .start(&["replay", &run, "--from", "hdfs-format", "--yes"])
        .finish(RUN_LIMIT);
    said.ended(0);
    whole(&stage, &run);
    end(stage, &run);
}

/// From the image as Debian publishes it: everything is installed, host keys are handed over, one master without ZooKeeper;
/// its machines are replaced by a replay.
#[test]
fn a_stock_image_becomes_a_cluster() {
    let mut stage = stage(1, 1);
    let archive = stage.cloud.serve_archive();
    let config = format!("archive_url = {:?}\n{CONFIG}", archive.url());
    stage.bench.config(&config);
    let subnet = stage.cloud.subnet().id.clone();
    let said = stage
        .run(&[
            "--subnet",
            &subnet,
            "--ami",
            AMI_STOCK,
            "--host-keys",
            "user-data",
        ])
        .ended(0);
    let run = said.run();
    whole(&stage, &run);
    let old: Vec<_> = stage
        .machines(&run)
        .into_iter()
        .map(|machine| machine.id)
        .collect();
    stage
        .bench
        .start(&[
            "replay",
            &run,
            "--from",
            "launch-slaves",
            "--to",
            "await-nodes",
            "--yes",
        ])
        .finish(RUN_LIMIT)
        .ended(0);
    let new: Vec<_> = stage
        .machines(&run)
        .into_iter()
        .map(|machine| machine.id)
        .collect();
    assert!(new.iter().all(|id| !old.contains(id)), "{old:?} {new:?}");
    assert_eq!(new.len(), old.len());
    end(stage, &run);
}

/// Taking an unseen host key is a choice that the run records; a key pair and user data of the user's own come beside what
/// mesosflow hands over, not instead of it.
#[test]
fn what_the_user_adds_stands_beside_and_a_key_is_taken_unseen_only_by_choice() {
    let mut stage = stage(1, 1);
    let subnet = stage.cloud.subnet().id.clone();
    let public = key_pair(&stage, "the-users");
    let script = stage
        .bench
        .write("own.sh", "#!/bin/sh\necho 'by the user' > /etc/added\n");
    let script = script.display().to_string();
    let further = [
        "--subnet",
        &subnet,
        "--accept-new-host-keys",
        "--key-pair",
        "the-users",
    ];
    let mut live = stage.start(&[&further[..], &["--user-data", &script]].concat());
    let run = live.run();
    let point = Point::succeeded("await-nodes");
    Watch::new(stage.bench.journal(), &run, 0).point(&mut live, RUN_LIMIT, point);
    live.kill();
    let history = stage.bench.history(&run);
    let mut nodes = history
        .of("step_succeeded", 1)
        .filter(|event| event["step"] == "await-nodes" && !event["item"].is_null());
    assert!(nodes.all(|event| event["output"]["host_key_source"] == "accept-new"));
    assert!(stage.cloud.calls("GetConsoleOutput").is_empty());
    for machine in stage.machines(&run) {
        let node = stage.cloud.node(&stage.bench, &machine.id);
        assert_eq!(node.ask("cat /etc/added"), "by the user");
        assert_eq!(node.ask(ROLE), machine.tag("mesosflow:role"), "{machine:?}");
        // The image is nobody's that is known: cloud-init made a user for the cluster beside the image's own.
        let keys = |user: &str| node.ask(&format!("cat /home/{user}/.ssh/authorized_keys"));
        assert!(keys("admin").contains(&public), "{}", keys("admin"));
        assert!(!keys("mesosflow").contains(&public), "{}", keys("mesosflow"));
    }
    end(stage, &run);
}

/// A key pair of the account; its public half.
fn key_pair(stage: &Stage, name: &str) -> String {
    let path = stage.bench.path("key-pair");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&path)
        .status();
    assert!(made.unwrap().success());
    let public = std::fs::read_to_string(path.with_extension("pub")).unwrap();
    let call = stage.cloud.world().client().import_key_pair().key_name(name);
    let material = aws_sdk_ec2::primitives::Blob::new(public.as_bytes());
    stage
        .cloud
        .world()
        .wait(call.public_key_material(material).send());
    public.split_whitespace().nth(1).unwrap().to_owned()
}

/// The cluster works, and is what was planned.
#[track_caller]
fn whole(stage: &Stage, run: &str) {
    let status = stage.bench.status(run);
    status.all_done();
    stage.bench.history(run).assert_well_formed();
    stage.assert_as_planned(run);
    let nodes = stage.bench.nodes(run);
    let machines: BTreeSet<_> = stage
        .machines(run)
        .into_iter()
        .map(|machine| machine.id)
        .collect();
    assert_eq!(nodes.containers().into_iter().collect::<BTreeSet<_>>(), machines);
    assert_healthy(&nodes);
}

/// `/vol` is the volume that EC2 attached, on masters and slaves.
#[track_caller]
fn mounted(stage: &Stage, run: &str) {
    for node in stage.bench.nodes(run).all() {
        let shown = node.run("findmnt --noheadings --output FSTYPE --mountpoint /vol | tail -n 1");
        let expected = if node.role == "zookeeper" { "" } else { "xfs" };
        // Without a volume of its own, `/vol` is a folder of the container.
        match expected {
            "" => assert_ne!(shown.out.trim(), "xfs", "{}", node.name),
            kind => assert_eq!(shown.out.trim(), kind, "/vol of {}", node.name),
        }
    }
}

/// Private addresses only: everything but the first master was reached through it.
#[track_caller]
fn stranger_free(stage: &Stage, run: &str) {
    let nodes = stage.bench.nodes(run);
    let hub = nodes.hub();
    for node in nodes.all().iter().filter(|node| node.ip != hub.ip) {
        let from = node.ask("journalctl --no-pager -o cat | grep -F 'Accepted publickey for ' | sed 's/.* from \\([0-9.]*\\) .*/\\1/' | sort -u");
        assert_eq!(from, hub.ip, "logins on {}", node.name);
    }
}

/// Destroyed, with every machine behind it.
#[track_caller]
fn end(mut stage: Stage, run: &str) {
    let machines = stage.machines(run);
    stage.destroy(run);
    for machine in machines {
        stage.cloud.wait_gone(&machine.id);
    }
    let label = stage.cloud.label().to_owned();
    assert_eq!(stage.bench.engine().containers(&label), Vec::<String>::new());
}
