//! Nodes that boot without their driver, in another order or at another address: each finds out what it is and where its cluster is,
//! and the others find it.

use mesosflow_tests::{Bench, Hdfs, Node, Nodes, RUN_LIMIT, assert_healthy, leader, until};

/// What the boot script has said since the node booted.
const SAID: &str = "journalctl --no-pager --output cat --boot -u mesosflow-role -u mesosflow-role-again";

#[test]
fn nodes_find_their_cluster_and_one_another_without_the_driver() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let size = ["--masters", "2", "--slaves", "2"];
    let mut live = bench.start(&[&["run", "--cluster", &cluster][..], &size].concat());
    let run = live.run();
    live.finish(RUN_LIMIT).ended(0);
    let mut nodes = bench.nodes(&run);
    knows_its_role(&nodes);
    what_a_user_adds_is_a_flag(&nodes);
    all_at_once_and_zookeeper_last(&bench, &nodes);
    let slave = nodes.of("slave")[1].name.clone();
    let to = another(&nodes);
    nodes = elsewhere(&bench, nodes, &slave, &to);
    is_back(&nodes);
    let first = nodes.hub().clone();
    let to = another(&nodes);
    nodes = elsewhere(&bench, nodes, &first.name, &to);
    is_back(&nodes);
    says_what_it_found(&nodes);
    let other = nodes.of("master")[1].name.clone();
    let to = another(&nodes);
    nodes = elsewhere(&bench, nodes, &other, &to);
    // And the first one where the deploy had it.
    nodes = elsewhere(&bench, nodes, &first.name, &first.ip);
    is_back(&nodes);
    // The driver finds them there, and stops nothing before.
    let said = bench.say(&["stop", "--yes"]).ended(3);
    said.complains(&["not where they were", &slave, &other, "mesosflow start"]);
    bench.start(&["start"]).finish(RUN_LIMIT).ended(0);
    assert_eq!(bench.check()["healthy"], true);
    bench.say(&["start"]).ended(0);
    for node in [nodes.of("slave"), nodes.of("master")].concat() {
        assert!(
            node.ask("mesosflow-role --dry-run")
                .ends_with("nothing would change")
        );
    }
}

/// Everything that the notes' first page asks of the two roles.
fn knows_its_role(nodes: &Nodes) {
    let zookeepers: Vec<_> = nodes
        .of("zookeeper")
        .iter()
        .map(|node| node.ip.clone() + ":2181")
        .collect();
    let url = format!("zk://{}/mesos", zookeepers.join(","));
    for node in nodes.of("master") {
        assert_eq!(node.ask("cat /etc/mesos/zk"), url);
        let flags = "cd /etc/mesos-master && cat quorum ip hostname cluster";
        let cluster = node.name.rsplit_once("-master").unwrap().0;
        assert_eq!(
            node.ask(flags),
            format!("2\n{}\n{}\n{cluster}", node.ip, node.name)
        );
    }
    for node in nodes.of("slave") {
        assert_eq!(node.ask("cat /etc/mesos/zk"), url);
        assert_eq!(node.ask("cat /etc/mesos-slave/hostname"), node.name);
        assert_eq!(node.ask("cat /etc/mesos-slave/ip"), node.ip);
        let offered = node.ask(
            "awk -v cpus=\"$(nproc)\" '$1 == \"MemTotal:\" { print \"cpus:\" cpus \";mem:\" int($2 / 1024) - 1024 }' /proc/meminfo",
        );
        assert_eq!(node.ask("cat /etc/mesos-slave/resources"), offered);
        let dry = node.ask("mesosflow-role --dry-run");
        assert!(
            dry.contains(&url) && dry.ends_with("nothing would change"),
            "{dry}"
        );
    }
}

fn what_a_user_adds_is_a_flag(nodes: &Nodes) {
    let slaves = nodes.of("slave");
    slaves[0].ask("echo rack:7 > /etc/mesos-slave/attributes && systemctl restart mesos-slave");
    until("the user's attribute", RUN_LIMIT, || {
        let state = nodes
            .hub()
            .run(&format!("curl -fsSL http://{}:5050/slaves", nodes.hub().ip))
            .out;
        let state: serde_json::Value = serde_json::from_str(&state).ok()?;
        let of_it = state["slaves"]
            .as_array()?
            .iter()
            .find(|it| it["hostname"] == slaves[0].name)?;
        (of_it["active"] == true && of_it["attributes"]["rack"] == 7.0).then_some(())
    });
}

/// Boots nodes, in that order.
fn boot(bench: &Bench, verb: &str, nodes: &[&Node]) {
    let names = nodes.iter().map(|node| node.container.as_str());
    bench
        .engine()
        .run(&[verb].into_iter().chain(names).collect::<Vec<_>>())
        .ok();
}

fn all_at_once_and_zookeeper_last(bench: &Bench, nodes: &Nodes) {
    let others: Vec<_> = [nodes.of("slave"), nodes.of("master")].concat();
    boot(bench, "stop", &nodes.all().iter().collect::<Vec<_>>());
    boot(bench, "start", &others);
    for node in &others {
        // None of them waits for ZooKeeper before it lets anybody in.
        until(&format!("{} to have booted", node.name), RUN_LIMIT, || {
            node.run("systemctl is-active mesosflow-role.service sshd.service ssh.service")
                .out
                .contains("active")
                .then_some(())
        });
    }
    boot(bench, "start", &nodes.of("zookeeper"));
    is_back(nodes);
    // Everybody's names are back; the first master's is known to be where it is, and each node's own.
    for node in nodes.all() {
        for other in nodes.all() {
            let found = node.ask(&format!("getent hosts {}", other.name));
            let is_followed =
                other.name == node.name || other.name == nodes.hub().name && node.role != "zookeeper";
            assert!(
                !is_followed || found.starts_with(&other.ip),
                "{} on {}: {found}",
                other.name,
                node.name
            );
        }
    }
    for slave in nodes.of("slave") {
        let rack = slave.run("cat /etc/mesos-slave/attributes").out;
        assert!(rack.is_empty() || rack.trim() == "rack:7", "{rack}");
    }
}

/// An address that none of them has.
fn another(nodes: &Nodes) -> String {
    let (net, _) = nodes.hub().ip.rsplit_once('.').unwrap();
    let taken: Vec<_> = nodes.all().iter().map(|node| node.ip.clone()).collect();
    (200..250)
        .map(|last| format!("{net}.{last}"))
        .find(|ip| !taken.contains(ip))
        .unwrap()
}

/// Gives a node another address while it is down, as a machine that was stopped may get one.
fn elsewhere(bench: &Bench, nodes: Nodes, name: &str, ip: &str) -> Nodes {
    let engine = bench.engine();
    let node = nodes.named(name);
    let network = engine
        .run(&[
            "inspect",
            &node.container,
            "--format",
            "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}",
        ])
        .ok();
    engine.run(&["stop", &node.container]).ok();
    engine
        .run(&["network", "disconnect", &network, &node.container])
        .ok();
    engine
        .run(&["network", "connect", "--ip", ip, &network, &node.container])
        .ok();
    engine.run(&["start", &node.container]).ok();
    nodes.moved(name, ip)
}

/// The whole cluster works, the first master where it is by now.
#[track_caller]
fn is_back(nodes: &Nodes) {
    let first = &nodes.hub().ip;
    for node in [nodes.of("slave"), nodes.of("master")].concat() {
        until(
            &format!("{} to know the first master", node.name),
            RUN_LIMIT,
            || {
                let site = "grep -qF hdfs://$0:9000 /root/ephemeral-hdfs/conf/core-site.xml";
                node.run(&format!("sh -c '{site}' {first}")).ok_if()
            },
        );
        until(&format!("every daemon on {}", node.name), RUN_LIMIT, || {
            let names = "cd /etc/systemd/system/multi-user.target.wants && ls | grep -E '^(mesos-|ephemeral|persistent|mesosflow-[^h])'";
            let seen = node.run(&format!("systemctl is-active $({names})"));
            (!seen.out.is_empty() && seen.out.lines().all(|state| state == "active")).then_some(())
        });
    }
    for hdfs in Hdfs::BOTH {
        until("all datanodes", RUN_LIMIT, || {
            let live = nodes.hub().run(&hdfs.command("dfsadmin -report -live")).out;
            nodes
                .of("slave")
                .iter()
                .all(|slave| live.contains(&format!("{}:", slave.ip)))
                .then_some(())
        });
    }
    leader(nodes, |_| true);
    assert_healthy(nodes);
}

fn says_what_it_found(nodes: &Nodes) {
    let first = nodes.hub();
    assert!(first.ask(SAID).contains(&format!(
        "published in ZooKeeper: the first master is at {}",
        first.ip
    )));
    for slave in nodes.of("slave") {
        let said = slave.ask(SAID);
        let found = format!(
            "first master {} (what ZooKeeper has of the first master)",
            first.ip
        );
        assert!(said.contains(&found), "{said}");
    }
}
