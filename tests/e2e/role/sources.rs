//! Which source counts: the file, tags and DNS, each alone and against one another.

use crate::role::rig::{Facts, LIMIT, Node, OWN, ZOOKEEPERS};
use mesosflow_tests::until;

#[test]
fn the_file_alone_says_all() {
    let node = Node::plain();
    node.told(&Facts::slave());
    let said = node.once();
    assert!(
        said.contains(&format!(
            "zookeeper zk://{ZOOKEEPERS}/mesos (/etc/mesosflow/cluster, epoch 3)"
        )),
        "{said}"
    );
    assert_eq!(node.zk().unwrap(), format!("zk://{ZOOKEEPERS}/mesos"));
    assert_eq!(node.read("/etc/mesos-slave/hostname").unwrap(), "demo-slave-1");
    assert_eq!(node.read("/etc/mesos-slave/ip").unwrap(), OWN);
    // Twice is as once, and silent.
    let state = node.state();
    assert_eq!((node.once(), node.state()), (String::new(), state));
    assert_eq!(
        node.role(&["--dry-run"]).ok().lines().last(),
        Some("nothing would change")
    );
    // Nobody reaches the cluster by another address than one that the node has.
    node.sh("ip link add e0 type veth peer name e1 && ip addr add 10.8.8.4/24 dev e0 && ip link set e0 up && ip link set e1 up").ok();
    node.told(
        &Facts::slave()
            .with("ip", "10.9.9.44")
            .with("zookeepers", "10.8.8.1:2181"),
    );
    assert!(node.once().contains("address 10.8.8.4 (the way to the cluster)"));
    assert_eq!(node.read("/etc/mesos-slave/ip").unwrap(), "10.8.8.4");
}

#[test]
fn who_knows_nothing_waits_until_somebody_does() {
    let node = Node::plain();
    assert_eq!(node.role(&["--once"]).code, 75);
    node.told(&Facts::slave().without("zookeepers"));
    let once = node.role(&["--once"]);
    assert_eq!(
        (once.code, once.err.trim()),
        (75, "no source knows where ZooKeeper is")
    );
    assert_eq!(node.zk(), None);
    let mut waits = node.role_command(&[]);
    waits.stderr(std::process::Stdio::piped());
    let child = waits.spawn().unwrap();
    until("waiting", LIMIT, || node.read("/run/mesosflow/role/said/waiting"));
    // Others may run meanwhile, and find the lock free.
    assert_eq!(node.role(&["--once"]).code, 75);
    node.told(&Facts::slave());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    assert_eq!(said.matches("waiting: ").count(), 1, "{said}");
    assert!(node.zk().is_some());
}

#[test]
fn a_file_that_begins_anew_is_another_clusters() {
    let node = Node::plain();
    node.told(&Facts::slave().with("epoch", "50"));
    node.once();
    node.write(
        "/var/lib/mesosflow/role/published",
        "epoch=60\nfirst_master=10.9.9.77\nfirst_master_name=demo-master-1\n",
    );
    node.told(&Facts::slave().with("epoch", "2"));
    // What would be done is what is done.
    let first = |text: &str| {
        text.lines()
            .find(|line| line.contains("first master"))
            .map(str::to_owned)
    };
    let would = first(&node.role(&["--dry-run"]).out);
    let did = first(&node.once());
    assert_eq!(
        would,
        Some("first master 10.9.9.9 (/etc/mesosflow/cluster)".into())
    );
    assert_eq!(did.or(would.clone()), would);
    assert!(node.read("/var/lib/mesosflow/role/published").is_none());
}

#[test]
fn the_number_of_masters_makes_the_quorum() {
    let node = Node::plain();
    for (masters, quorum) in [("2", "2"), ("3", "2"), ("5", "3")] {
        node.told(&Facts::master().with("masters", masters));
        node.once();
        assert_eq!(
            node.read("/etc/mesos-master/quorum").unwrap(),
            quorum,
            "{masters}"
        );
    }
    node.told(&Facts::master().without("masters"));
    assert!(node.role(&["--once"]).err.contains("how many masters"));
    // A lone one is its own place to meet.
    let alone = Facts::master()
        .with("masters", "1")
        .with("zookeepers", "")
        .with("master", "10.9.9.99:5050");
    node.told(&alone);
    node.once();
    assert_eq!(node.read("/etc/mesos/master").unwrap(), format!("{OWN}:5050"));
    assert_eq!((node.zk(), node.read("/etc/mesos-master/quorum")), (None, None));
    node.told(
        &Facts::slave()
            .with("masters", "1")
            .with("zookeepers", "")
            .with("master", "10.9.9.1:5050"),
    );
    node.once();
    assert_eq!(node.read("/etc/mesos/master").unwrap(), "10.9.9.1:5050");
    // It was a master: nothing of that is left.
    assert!(!node.path("/etc/mesos-master").exists());
}
