//! What a node's key opens: a slave's reads the shared folder and nothing else, a ZooKeeper's opens nothing, a master's opens
//! every node but only from a master's address. And what the one who wants it the old way gets.

use mesosflow_tests::{Bench, Node, Nodes, RUN_LIMIT, assert_healthy, log_in, until};

const SSH: &str = "ssh -F /root/.ssh/mesosflow/config -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR";
const SFTP: &str = "sftp -q -b - -F /root/.ssh/mesosflow/config";

#[test]
fn a_nodes_key_opens_what_its_role_needs() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "2", "--slaves", "1"]);
    let run = live.run();
    live.finish(RUN_LIMIT).ended(0);
    let nodes = bench.nodes(&run);

    let (hub, slave) = (nodes.hub(), nodes.of("slave")[0]);
    hub.ask("echo shared > /mnt/nfs/file && chmod 600 /mnt/nfs/file");
    opens_no_node(slave, &nodes);
    opens_no_node(nodes.of("zookeeper")[0], &nodes);
    reads_the_shared_folder_alone(slave, hub);
    for master in nodes.of("master") {
        for node in nodes.all() {
            master.ask(&format!("{SSH} root@{} true", node.ip));
        }
    }
    opens_from_the_cluster_alone(&bench, &nodes);
    no_node_has_the_drivers_key(&bench, &run, &nodes);
    lines_are_replaced(&mut bench, &run, &nodes);
}

fn opens_no_node(from: &Node, nodes: &Nodes) {
    for node in nodes.all() {
        for command in ["id", "internal-sftp", "/usr/lib/openssh/sftp-server"] {
            let tried = from.run(&format!("timeout 20 {SSH} root@{} {command} </dev/null", node.ip));
            assert!(
                !tried.out.contains("uid="),
                "{} has a shell on {}: {tried:?}",
                from.name,
                node.name
            );
        }
        let forwarded = from.run(&format!("{SSH} -W 127.0.0.1:22 root@{} </dev/null", node.ip));
        assert!(!forwarded.out.contains("SSH-2.0"), "{forwarded:?}");
    }
}

fn reads_the_shared_folder_alone(slave: &Node, hub: &Node) {
    let sftp = |commands: &str| slave.run(&format!("printf '{commands}' | {SFTP} root@{}", hub.ip));
    // The mount may keep what it knows of a folder for some seconds.
    until("the file in the shared folder", RUN_LIMIT, || {
        let read = slave.run("cat /mnt/nfs/file");
        (read.code == 0 && read.out.trim() == "shared").then_some(())
    });
    // The mode counts for the slave's other users.
    let other = slave.run("setpriv --reuid 65534 --regid 65534 --clear-groups cat /mnt/nfs/file");
    assert_ne!(other.code, 0, "{other:?}");
    assert_eq!(sftp("get /mnt/nfs/file /root/got\\n").code, 0);
    for path in [
        "/etc/shadow",
        "/root/.ssh/mesosflow/id_ed25519",
        "/proc/1/environ",
        "/mnt/mesos-work",
        "/mnt/nfs/../hadoop-logs",
    ] {
        assert_ne!(sftp(&format!("ls {path}\\n")).code, 0, "{path} is seen");
    }
    hub.ask("ln -sfn /etc/shadow /mnt/nfs/link");
    assert_ne!(
        sftp("get /mnt/nfs/link /root/got\\n").code,
        0,
        "a link leads out of the folder"
    );
    for change in [
        "rm /mnt/nfs/file",
        "put /etc/hostname /mnt/nfs/new",
        "mkdir /mnt/nfs/new",
        "put /etc/hostname /usr/bin/new",
    ] {
        assert_ne!(sftp(&format!("{change}\\n")).code, 0, "{change}");
    }
    hub.ask("test -e /mnt/nfs/file && ! test -e /mnt/nfs/new && ! test -e /usr/bin/new && rm /mnt/nfs/link /mnt/nfs/file");
}

/// The engine's machine has an address in the network that is no node's.
fn opens_from_the_cluster_alone(bench: &Bench, nodes: &Nodes) {
    for (holder, node) in [
        (nodes.hub(), nodes.of("slave")[0]),
        (nodes.of("slave")[0], nodes.hub()),
    ] {
        let key = bench.path(&format!("key-of-{}", holder.name));
        std::fs::write(&key, holder.ask("cat /root/.ssh/mesosflow/id_ed25519") + "\n").unwrap();
        let tried = log_in(&key, &node.ip);
        assert!(tried.contains("Permission denied"), "{}: {tried}", holder.name);
    }
}

fn no_node_has_the_drivers_key(bench: &Bench, run: &str, nodes: &Nodes) {
    let key = bench.cluster_dir(run).join("cluster_ed25519");
    let secret = std::fs::read_to_string(&key).unwrap();
    let secret = secret.lines().nth(2).unwrap();
    for node in nodes.all() {
        let found = node.run(&format!(
            "grep -rlF -- '{secret}' /root /etc /home /tmp /var/lib/mesosflow"
        ));
        assert_eq!(found.out, "", "on {}", node.name);
        assert!(
            log_in(&key, &node.ip).contains("uid=0"),
            "the driver is shut out of {}",
            node.name
        );
    }
}

/// Addresses that are nobody's any more go, others stay; a second time changes nothing.
fn lines_are_replaced(bench: &mut Bench, run: &str, nodes: &Nodes) {
    let keys = "cat /root/.ssh/authorized_keys";
    let before: Vec<_> = nodes.all().iter().map(|node| node.ask(keys)).collect();
    let hub = nodes.hub();
    hub.ask("sed -i 's/from=\"[^\"]*\"/from=\"192.0.2.1\"/' /root/.ssh/authorized_keys && echo '# mine' >> /root/.ssh/authorized_keys");
    bench
        .say(&[
            "replay",
            run,
            "--from",
            "approve-masters",
            "--to",
            "approve-nodes",
        ])
        .ended(0);
    let after: Vec<_> = nodes.all().iter().map(|node| node.ask(keys)).collect();
    assert!(after[0].contains("# mine"), "{}", after[0]);
    hub.ask("sed -i '/^# mine/d' /root/.ssh/authorized_keys");
    assert_eq!(hub.ask(keys), before[0]);
    assert_eq!(after[1..], before[1..]);
}

#[test]
fn all_nodes_get_the_key_of_all_where_that_is_wanted() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    bench.config("[ssh]\nkey_on_every_node = true\n");
    let size = ["--cluster", &cluster, "--masters", "1", "--slaves", "1"];
    let said = bench.say(&[&["plan"][..], &size].concat()).ended(0);
    assert!(
        said.err.contains("root on one node is root on all"),
        "{}",
        said.err
    );
    let mut live = bench.start(&[&["run"][..], &size].concat());
    let run = live.run();
    live.finish(RUN_LIMIT).ended(0);
    let nodes = bench.nodes(&run);
    for from in nodes.all() {
        for node in nodes.all() {
            from.ask(&format!("{SSH} root@{} true", node.ip));
        }
    }
    opens_from_the_cluster_alone(&bench, &nodes);
    assert_healthy(&nodes);
}
