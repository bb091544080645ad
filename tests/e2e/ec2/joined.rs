//! A machine that an auto-scaling group has started, from an image that a node of the cluster was made, with nothing but the cluster's
//! user data: it becomes a slave, whatever its tags say, and is one again after a reboot.

use mesosflow_tests::{
    Bench, Cloud, Hdfs, Instance, Lie, Node, Point, RUN_LIMIT, Watch, leader_and_slaves, until,
};

use super::stage::{CONFIG, Stage};

const TAGS: &str = "/latest/meta-data/tags/instance/";

#[test]
fn a_machine_that_an_auto_scaling_group_starts_becomes_a_slave() {
    let mut bench = Bench::new();
    let cloud = Cloud::with_nodes(&mut bench);
    bench.config(&format!("{}{CONFIG}", bench.forgets_soon()));
    let mut stage = Stage::on(bench, cloud, 2, 2);
    let subnet = stage.cloud.subnet().id.clone();
    let run = stage.run(&["--subnet", &subnet]).ended(0).run();
    told_by_tags(&stage, &run);
    let ami = an_image_of_the_last_slave(&mut stage, &run);

    let said = stage.bench.say(&["userdata", "--role", "mesos-slave"]).ended(0);
    let user_data = said.out.clone();
    assert!(
        user_data.len() < 16 * 1024 && user_data.starts_with("#!/bin/sh\n"),
        "{}",
        user_data.len()
    );
    assert!(!user_data.contains("PRIVATE KEY"));
    // Four letters alone are in what is packed now and then.
    let is_key = |rest: &str| {
        let id = rest.chars().take(16);
        id.filter(|c| c.is_ascii_digit() || c.is_ascii_uppercase())
            .count()
            == 16
    };
    assert!(!user_data.split("AKIA").skip(1).any(is_key), "an access key");
    let groups = stage.cloud.world().groups(&stage.cluster);
    let group = groups
        .iter()
        .find(|group| group.name.ends_with("-slaves"))
        .unwrap()
        .id
        .clone();
    let tags = [("aws:autoscaling:groupName", "slaves")];
    let joined = stage.cloud.launch_stranger(&ami, &user_data, &tags, &group);
    // Garbage in its tags, before it has booted: what the user data says counts.
    for key in ["epoch", "zookeepers"] {
        let path = format!("{TAGS}mesosflow:{key}");
        stage.cloud.metadata().answer_to(&joined.id, &path, Lie::page());
    }
    let node = stage.cloud.node(&stage.bench, &joined.id);
    let hub = stage.bench.nodes(&run).hub().ip.clone();
    works(&stage, &run, &joined, &node);
    let said = node.ask("journalctl --no-pager -o cat -u mesosflow-role");
    assert!(
        said.contains("refused: ") && said.contains("mesosflow:epoch"),
        "{said}"
    );
    assert_eq!(node.ask("cat /etc/mesos-slave/hostname"), joined.private_name);
    let attributes = node.ask("cat /etc/mesos-slave/attributes");
    assert_eq!(attributes, "zone:us-east-1a;instance_type:m5.large");
    // The export lets it in, whom nobody knew when it was made.
    let (_, first) = leads(&stage, &run).unwrap();
    let file = "mesosflow-by-hand";
    first.ask(&format!("echo shared > /mnt/nfs/{file}"));
    assert_eq!(
        node.ask(&format!("nfs-cat 'nfs://{}/mnt/nfs/{file}?version=4'", hub)),
        "shared"
    );

    stage.bench.engine().run(&["restart", &node.container]).ok();
    stage.cloud.metadata().heal();
    works(&stage, &run, &joined, &node);
    counted(&mut stage, &joined);
    without_the_imaged_one(&mut stage);
    adopted_and_taken_back(&mut stage, &run, &joined, &node);
    adopted(&mut stage, &joined);
    // It is nobody's to end but its owner's, who is told.
    let said = stage.bench.say(&["destroy", "--yes"]).ended(0);
    for word in ["not launched by us, and left alone", &joined.id] {
        assert!(said.err.contains(word), "{}", said.err);
    }
    assert!(stage.cloud.world().instance(&joined.id).is_alive());
    stage.cloud.world().terminate(&joined.id);
}

/// Every machine's tags say where the cluster is, in the epoch of its cluster file.
fn told_by_tags(stage: &Stage, run: &str) {
    let zookeepers: Vec<_> = stage
        .bench
        .nodes(run)
        .of("zookeeper")
        .iter()
        .map(|node| format!("{}:2181", node.ip))
        .collect();
    for machine in stage.machines(run) {
        if machine.tag("mesosflow:role") == "zookeeper" {
            continue;
        }
        assert_eq!(machine.tag("mesosflow:zookeepers"), zookeepers.join(","));
        assert_eq!(machine.tag("mesosflow:masters"), "2");
        let node = stage.cloud.node(&stage.bench, &machine.id);
        let file = node.ask("cat /etc/mesosflow/cluster");
        assert!(
            file.contains(&format!("\nepoch={}\n", machine.tag("mesosflow:epoch"))),
            "{file}"
        );
        // The metadata have two seconds to answer, for which a stand-in beside much else is too slow now and then.
        let mut dry = String::new();
        until("a look at the metadata that changes nothing", RUN_LIMIT, || {
            let said = node.ask("mesosflow-role --dry-run 2>&1");
            if said != dry {
                println!("{said}");
            }
            dry = said;
            dry.ends_with("nothing would change").then_some(())
        });
    }
}

/// Takes the last slave out of the cluster, and makes an image of it.
fn an_image_of_the_last_slave(stage: &mut Stage, run: &str) -> String {
    let nodes = stage.bench.nodes(run);
    let slave = nodes.of("slave")[1].clone();
    stage
        .bench
        .say(&["image", "prepare", &slave.name, "--yes"])
        .ended(0);
    let image = format!("localhost/{}-image", stage.cluster);
    let label = format!("LABEL org.mesosflow.test={}", stage.cloud.label());
    let id = stage
        .machines(run)
        .iter()
        .find(|it| it.tag("Name") == slave.name)
        .unwrap()
        .id
        .clone();
    stage
        .bench
        .engine()
        .run(&["commit", "--change", &label, &id, &image])
        .ok();
    stage.cloud.image_of(&format!("{}-slave", stage.cluster), &image)
}

/// The leading master, and the first one as a machine.
fn leads(stage: &Stage, run: &str) -> Option<(Vec<String>, Node)> {
    let nodes = stage.bench.nodes(run);
    let machines = stage.machines(run);
    let first = nodes.hub();
    let id = &machines.iter().find(|it| it.tag("Name") == first.name)?.id;
    let node = stage.cloud.node(&stage.bench, id);
    let (_, slaves) = leader_and_slaves(&node)?;
    Some((slaves, node))
}

/// Agent and both datanodes of the machine are the cluster's.
fn works(stage: &Stage, run: &str, joined: &Instance, node: &Node) {
    until("the agent's registration", RUN_LIMIT, || {
        let (slaves, _) = leads(stage, run)?;
        slaves.contains(&joined.private_name).then_some(())
    });
    for hdfs in Hdfs::BOTH {
        until("a datanode of its own", RUN_LIMIT, || {
            let (_, first) = leads(stage, run)?;
            let live = first.run(&hdfs.command("dfsadmin -report -live")).out;
            live.contains(&format!("{}:", joined.private_ip)).then_some(())
        });
    }
    assert_eq!(
        node.run("systemctl is-failed mesos-slave.service").out.trim(),
        "active"
    );
}

/// The node that an image was made of lets nobody in any more: it leaves the cluster all the same.
fn without_the_imaged_one(stage: &mut Stage) {
    let plan = stage
        .bench
        .say(&["plan", "remove-slaves", "slave-2", "--json"])
        .ended(0)
        .json();
    assert!(plan["warnings"].to_string().contains("do not answer"), "{plan}");
    let away = ["remove-slaves", "slave-2", "--yes"];
    stage.bench.start(&away).finish(RUN_LIMIT).ended(0);
    let clusters = stage.bench.say(&["clusters", "--json"]).ended(0).json();
    assert_eq!(
        (&clusters[0]["slaves"], &clusters[0]["joined"]),
        (&1.into(), &1.into()),
        "{clusters}"
    );
}

/// An adoption that died is taken back: the machine is what it was, one that joined by itself and works.
fn adopted_and_taken_back(stage: &mut Stage, deploy: &str, joined: &Instance, node: &Node) {
    let mut live = stage.bench.start(&["adopt", &joined.id]);
    let run = live.run();
    let point = Point::started("mesos-start");
    Watch::new(stage.bench.journal(), &run, 0).point(&mut live, RUN_LIMIT, point);
    live.kill();
    let plan = stage.bench.say(&["plan", "rollback", "--json"]).ended(0).json();
    assert!(
        plan["warnings"].to_string().contains("joined by itself"),
        "{plan}"
    );
    assert_eq!(plan["machines"].as_array().unwrap().len(), 0, "{plan}");
    let machines = stage.machines(deploy).len();
    stage
        .bench
        .start(&["rollback", "--yes"])
        .finish(RUN_LIMIT)
        .ended(0);
    assert_eq!(stage.machines(deploy).len(), machines, "a machine was deleted");
    works(stage, deploy, joined, node);
    counted(stage, joined);
    let clusters = stage.bench.say(&["clusters", "--json"]).ended(0).json();
    assert_eq!(
        (&clusters[0]["slaves"], &clusters[0]["joined"]),
        (&1.into(), &1.into()),
        "{clusters}"
    );
}

/// It becomes a node like the others, keeps its agent, and is nobody's to end but its owner's.
fn adopted(stage: &mut Stage, joined: &Instance) {
    stage
        .bench
        .say(&["adopt", "10.255.255.1"])
        .ended(2)
        .complains(&["10.255.255.1", &joined.id]);
    let plan = stage
        .bench
        .say(&["plan", "adopt", &joined.private_name, "--json"])
        .ended(0)
        .json();
    assert_eq!(plan["machines"][0]["action"], "adopt", "{plan}");
    let node = stage.cloud.node(&stage.bench, &joined.id);
    let run = under_another_key(stage, joined, &node);
    stage.bench.start(&["resume", &run]).finish(RUN_LIMIT).ended(0);
    let status = stage.bench.status(&run);
    let nodes = status.nodes();
    let mine = nodes
        .iter()
        .find(|it| it["instance_id"] == joined.id.as_str())
        .unwrap();
    assert_eq!(
        (&mine["origin"], &mine["name"]),
        (&"joined".into(), &format!("{}-slave-4", stage.cluster).into())
    );
    assert!(
        !status.value()["resources"].to_string().contains(&joined.id),
        "{}",
        status.value()
    );
    assert_eq!(node.ask("cat /etc/mesos-slave/hostname"), joined.private_name);
    let check = stage.bench.check();
    assert_eq!(check["healthy"], true, "{check}");
    let findings = check["findings"].as_array().unwrap();
    assert!(findings.iter().all(|it| it["what"] != "joined"), "{check}");
    stage
        .bench
        .say(&["run-command", "--node", "slave-4", "--", "true"])
        .ended(0);
    stage.bench.say(&["adopt", &joined.id]).ended(2);
    replayed_and_closed(stage, &run);
}

/// Its own steps once more, to their end and by a driver that dies, whose run is closed: the machine stays a node that works.
fn replayed_and_closed(stage: &mut Stage, run: &str) {
    let replay = ["replay", run, "--from", "await-nodes"];
    let machines = stage.machines(run).len();
    stage.bench.start(&replay).finish(RUN_LIMIT).ended(0);
    stage.bench.status(run).all_done();
    let known = stage.bench.history(run).events().len() as u64;
    let mut live = stage.bench.start(&replay);
    let point = Point::started("setup-nodes");
    Watch::new(stage.bench.journal(), run, known).point(&mut live, RUN_LIMIT, point);
    live.kill();
    let closed = stage.bench.say(&["close", run, "--yes"]).ended(0);
    closed.tells(&["setup-nodes"]);
    assert_eq!(stage.bench.status(run).state(), "closed");
    assert_eq!(stage.machines(run).len(), machines);
    stage
        .bench
        .start(&["replay", "--from", "cluster-health"])
        .finish(RUN_LIMIT)
        .ended(0);
    let check = stage.bench.check();
    assert_eq!(check["healthy"], true, "{check}");
    stage
        .bench
        .say(&["run-command", "--node", "slave-4", "--", "true"])
        .ended(0);
}

/// Who answers in its place under another host key than its console told is not let in, and nothing is brought there; its run.
fn under_another_key(stage: &mut Stage, joined: &Instance, node: &Node) -> String {
    let key = "/etc/ssh/ssh_host_ed25519_key";
    node.ask(&format!(
        "mkdir /root/kept && mv {key} {key}.pub /root/kept && ssh-keygen -q -t ed25519 -N '' -f {key} && systemctl restart ssh"
    ));
    let adopt = stage.bench.start(&["adopt", &joined.id]);
    let refused = adopt
        .finish(RUN_LIMIT)
        .ended(130)
        .complains(&["host key", "resume", "rollback"]);
    let run = refused.run();
    assert_eq!(stage.bench.status(&run).state(), "interrupted");
    let kinds = stage.bench.history(&run);
    let begun = kinds
        .events()
        .iter()
        .filter(|event| event["kind"] == "step_started");
    let steps: Vec<_> = begun.map(|event| event["step"].as_str().unwrap()).collect();
    assert!(steps.iter().all(|step| *step == "await-nodes"), "{steps:?}");
    node.ask(&format!(
        "mv /root/kept/* /etc/ssh/ && rmdir /root/kept && systemctl restart ssh && test -s {key}"
    ));
    run
}

/// `check` counts it as somebody's who came by itself.
fn counted(stage: &mut Stage, joined: &Instance) {
    let findings = stage.bench.check();
    let found = findings["findings"].as_array().unwrap();
    let about: Vec<_> = found
        .iter()
        .filter(|it| it["node"] == joined.private_name.as_str())
        .collect();
    assert!(
        about.iter().any(|it| it["what"] == "joined"
            && it["ok"] == true
            && it["detail"] == "joined, not launched by us"),
        "{findings}"
    );
}
