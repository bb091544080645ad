//! Machines of every role give way to others under the same name and address, dead ones and living ones, killed at random on the way: what
//! only they had is there afterwards, and the cluster works.

use mesosflow_tests::{Bench, Hdfs, Node, Nodes, RUN_LIMIT, leader, until};

use crate::changed::{cut_off, ended, has};
use crate::random::Random;
use crate::stopped::{killed, read, write};

/// What a replicated log of Mesos' own has; the stand-in keeps none on its disk.
const LOG: &str = "/mnt/mesos-work/replicated_log";

#[test]
fn every_role_gets_another_machine_while_the_cluster_works() {
    let mut random = Random::new();
    let mut bench = Bench::new();
    bench.config(bench.forgets_soon());
    let cluster = bench.cluster();
    let deploy = bench
        .start(&["run", "--cluster", &cluster, "--masters", "2", "--slaves", "2"])
        .finish(RUN_LIMIT)
        .ended(0)
        .run();
    let nodes = bench.nodes(&deploy);
    write(&nodes, "before");
    nodes
        .hub()
        .ask("echo shared > /mnt/nfs/shared; mkdir -p /root/work; echo mine > /root/work/mine");
    refused(&mut bench, &nodes);
    planned(&mut bench, &deploy);
    let slaves = ["slave-1", "slave-2"];

    // The one that leads: another one does, and the new one follows.
    let leads = nodes
        .of("zookeeper")
        .into_iter()
        .find(|node| mode(node) == "leader");
    let leads = leads.unwrap().name.clone();
    let run = replaced(&mut bench, &leads);
    ended(&bench, &run);
    let nodes = has(&mut bench, &cluster, &run, &slaves);
    assert_eq!(mode(nodes.named(&leads)), "follower");

    // Of two masters the other's registry is what the new one begins with.
    nodes
        .hub()
        .ask(&format!("mkdir -p {LOG}; echo MANIFEST-1 > {LOG}/CURRENT"));
    let run = replaced(&mut bench, "master-2");
    ended(&bench, &run);
    let nodes = has(&mut bench, &cluster, &run, &slaves);
    assert_eq!(
        nodes.of("master")[1].ask(&format!("cat {LOG}/CURRENT")),
        "MANIFEST-1"
    );
    leader(&nodes, |_| true);

    // What was to go stays.
    let args = ["replace-node", "slave-2", "--yes"];
    let run = cut_off(&mut bench, &mut random, &args, "drain-agents");
    let plan = bench.say(&["plan", "rollback", "--json"]);
    let back = bench.say(&["rollback", &run, "--yes"]);
    assert_eq!(
        plan.code, back.code,
        "a plan refuses what would be refused: {}",
        plan.err
    );
    if back.code == 0 {
        let machine = &plan.json()["machines"][0];
        assert_eq!(
            (&machine["action"], &machine["name"]),
            (&"keep".into(), &format!("{cluster}-slave-2").into())
        );
        assert_eq!(bench.status(&run).state(), "closed");
    } else {
        // It was too late for that.
        bench.start(&["resume", &run]).finish(RUN_LIMIT).ended(0);
    }
    has(&mut bench, &cluster, &deploy, &slaves);

    let run = killed(&mut bench, &mut random, &["replace-node", "slave-1", "--yes"]);
    ended(&bench, &run);
    let nodes = has(&mut bench, &cluster, &run, &slaves);
    read(&nodes, "before");
    let hub = nodes.hub();
    let wants = hub.ask("/root/persistent-hdfs/bin/hdfs dfs -stat %r /before");
    assert_eq!(wants, "2", "files were made to want less");

    let second = nodes.of("slave")[1].container.clone();
    bench
        .engine()
        .run(&["rm", "--force", "--time", "0", &second])
        .ok();
    let run = replaced(&mut bench, "slave-2");
    ended(&bench, &run);
    let nodes = has(&mut bench, &cluster, &run, &slaves);
    read(&nodes, "before");

    // What only the first master had is on its next machine.
    let formats = formatted(nodes.hub());
    let run = killed(&mut bench, &mut random, &["replace-node", "master-1", "--yes"]);
    ended(&bench, &run);
    let nodes = has(&mut bench, &cluster, &run, &slaves);
    read(&nodes, "before");
    assert_eq!(formatted(nodes.hub()), formats, "a file system was formatted");
    assert_eq!(nodes.hub().ask("cat /mnt/nfs/shared"), "shared");
    assert_eq!(nodes.hub().ask("ls /root/work 2>/dev/null || echo none"), "none");
    for node in nodes.all() {
        assert_eq!(
            node.ask("ls -d /mnt/mesosflow-kept 2>/dev/null || echo none"),
            "none"
        );
    }

    // Lost without a word: its names are in the second master's checkpoint, and Mesos is elsewhere.
    let second = nodes.of("master")[1];
    second.ask("systemctl restart persistent-hdfs-secondarynamenode");
    let first = nodes.hub().container.clone();
    bench.engine().run(&["rm", "--force", "--time", "0", &first]).ok();
    bench.say(&["replace-node", "master-1"]).ended(3).complains(&[
        "--yes",
        "checkpoint",
        "min old",
        "ephemeral",
        "/mnt/nfs",
    ]);
    let run = killed(&mut bench, &mut random, &["replace-node", "master-1", "--yes"]);
    ended(&bench, &run);
    let nodes = has(&mut bench, &cluster, &run, &slaves);
    let read = nodes.hub().ask(&Hdfs::Persistent.command("dfs -cat /before"));
    assert_eq!(read, "written before");
    assert_ne!(
        formatted(nodes.hub()),
        formats,
        "the ephemeral one has names of before"
    );

    // The deploy's own steps, on the machines that there are.
    bench
        .start(&["replay", "--from", "hdfs-format", "--to", "hdfs-start", "--yes"])
        .finish(RUN_LIMIT)
        .ended(0);
    bench.start(&["resume", &deploy]).finish(RUN_LIMIT).ended(0);
    has(&mut bench, &cluster, &deploy, &slaves);
}

/// A node gets another machine, without any kill.
fn replaced(bench: &mut Bench, name: &str) -> String {
    let replacing = bench.start(&["replace-node", name, "--yes"]);
    replacing.finish(RUN_LIMIT).ended(0).run()
}

/// What a ZooKeeper is.
fn mode(node: &Node) -> String {
    let asked = format!(
        "(exec 3<>/dev/tcp/{}/2181; printf srvr >&3; sed -n 's/^Mode: //p' <&3) 2>/dev/null || true",
        node.ip
    );
    node.ask(&format!("bash -c \"{asked}\""))
}

/// By which format each file system was made.
fn formatted(hub: &Node) -> String {
    hub.ask("cat /mnt/ephemeral-hdfs/format /vol/persistent-hdfs/format")
}

/// A plan names what would end and what does not move, and begins no run.
fn planned(bench: &mut Bench, deploy: &str) {
    let plan = bench
        .say(&["plan", "replace-node", "master-1", "--json"])
        .ended(0)
        .json();
    assert_eq!(plan["workflow"], "replace-node");
    let machines = plan["machines"].as_array().unwrap();
    let actions: Vec<_> = machines
        .iter()
        .map(|machine| machine["action"].as_str())
        .collect();
    assert_eq!(actions, [Some("terminate"), Some("launch")]);
    let warnings = plan["warnings"].to_string();
    for word in ["/mnt/nfs", "/vol/persistent-hdfs", "/root/work", "KiB"] {
        assert!(warnings.contains(word), "{word}: {warnings}");
    }
    let list = bench.say(&["list", "--json"]).ended(0).json();
    assert_eq!(list.as_array().unwrap().len(), 1, "a run was begun: {list}");
    assert_eq!(list[0]["run"], deploy);
}

/// What cannot be is refused before anything is touched.
fn refused(bench: &mut Bench, nodes: &Nodes) {
    bench
        .say(&["replace-node", "slave-7", "--yes"])
        .ended(2)
        .complains(&["slave-7", "slave-2"]);
    bench
        .say(&["replace-node", "slave-1"])
        .ended(3)
        .complains(&["--yes", "slave-1"]);
    // With another one away the rest would be no quorum.
    let servers = nodes.of("zookeeper");
    let (away, other) = (servers[2], servers[0]);
    away.ask("systemctl stop mesosflow-zookeeper");
    bench
        .say(&["replace-node", &other.name, "--yes"])
        .ended(3)
        .complains(&[&away.name, "nothing was done"]);
    away.ask("systemctl start mesosflow-zookeeper");
    until("a ZooKeeper that is back", RUN_LIMIT, || {
        (!mode(away).is_empty()).then_some(())
    });
}
