//! The first master's address: published by its own boot script in a real ZooKeeper, read by the others, and put in its place in
//! exactly the files that have it.

use crate::role::rig::{Facts, LIMIT, Node, OWN, ZOOKEEPERS};
use mesosflow_tests::until;

const CORE: &str = "/root/ephemeral-hdfs/conf/core-site.xml";
const FSTAB: &str = "/etc/fstab";

/// One of three answers; of the others one refuses, one takes connections and says nothing.
fn with_zookeeper() -> Node {
    let mut node = Node::plain();
    node.write(
        "/tmp/zk/zoo.cfg",
        "tickTime=200\ndataDir=/tmp/zk\nclientPort=2181\nclientPortAddress=10.9.9.3\n",
    );
    // Java looks for the control groups of whoever came in by a container's namespaces, and finds none.
    node.run_beside("ZOOKEEPER_OPTS=-XX:-UseContainerSupport exec /opt/mesosflow/zookeeper/bin/zookeeper-server /tmp/zk/zoo.cfg");
    node.run_beside("exec nc -d -l -k 10.9.9.1 2181");
    until("ZooKeeper", LIMIT, || {
        node.sh("echo srvr | nc -q 1 -w 2 10.9.9.3 2181 | grep -q Mode")
            .ok_if()
    });
    node
}

/// ZooKeeper's own client.
fn client(node: &Node, command: &str) -> String {
    let java = "java -XX:-UseContainerSupport -XX:TieredStopAtLevel=1 -cp \"$(cat /opt/mesosflow/zookeeper/classpath):/tmp/zk\" org.apache.zookeeper.ZooKeeperMain";
    node.sh(&format!("{java} -server 10.9.9.3:2181 {command} 2>/dev/null"))
        .out
}

fn first() -> Facts {
    Facts::master()
        .with("name", "demo-master-1")
        .with("first_master", "10.9.9.10")
}

fn lay(node: &Node) {
    node.write(
        CORE,
        "<value>hdfs://10.9.9.10:9000</value><value>10.9.9.100,110.9.9.10,10.9.9.10,10.9.9.10</value>\n",
    );
    node.write("/root/.ssh/mesosflow/known_hosts", "10.9.9.10 ssh-ed25519 AAAA\n");
    node.sh("chmod 600 /root/.ssh/mesosflow/known_hosts").ok();
    node.write(
        FSTAB,
        "10.9.9.10:/ /mine nfs defaults 0 0\n10.9.9.10:/ /mnt/nfs nfs4 nofail 0 0\n",
    );
    node.write(
        "/etc/mesosflow/names",
        include_str!("../../../steps/roles/mesos/names"),
    );
    node.write("/root/notes", "10.9.9.10\n");
    node.write(
        "/etc/mesosflow/hosts",
        "10.9.9.10 demo-master-1\n10.9.9.100 demo-slave-1\n",
    );
}

#[test]
fn a_first_master_that_moved_says_so_and_the_others_follow() {
    let node = with_zookeeper();
    // The first master, which has the address `OWN` now.
    node.told(&first());
    assert!(
        node.once()
            .contains(&format!("published in ZooKeeper: the first master is at {OWN}"))
    );
    assert_eq!(node.once(), "");
    let held = client(&node, "get /mesosflow/demo");
    assert!(
        held.contains(&format!(
            "epoch=3\nfirst_master={OWN}\nfirst_master_name=demo-master-1"
        )),
        "{held}"
    );

    // A slave, whose files have the address from before.
    node.forget();
    node.told(&Facts::slave().with("first_master", "10.9.9.10"));
    lay(&node);
    let would = node.role(&["--dry-run"]);
    assert!(
        would
            .err
            .contains(&format!("would write {CORE}: {OWN} for 10.9.9.10")),
        "{}",
        would.err
    );
    let said = node.once();
    assert!(
        said.contains(&format!(
            "first master {OWN} (what ZooKeeper has of the first master)"
        )),
        "{said}"
    );
    assert_eq!(
        node.read(CORE).unwrap(),
        format!("<value>hdfs://{OWN}:9000</value><value>10.9.9.100,110.9.9.10,{OWN},{OWN}</value>")
    );
    assert_eq!(
        node.read(FSTAB).unwrap(),
        format!("10.9.9.10:/ /mine nfs defaults 0 0\n{OWN}:/ /mnt/nfs nfs4 nofail 0 0")
    );
    assert_eq!(node.read("/root/notes").unwrap(), "10.9.9.10");
    assert_eq!(node.sh("stat -c %a /root/.ssh/mesosflow/known_hosts").ok(), "600");
    assert_eq!(
        node.read("/etc/mesosflow/hosts").unwrap(),
        format!("{OWN} demo-master-1\n{OWN} demo-slave-1")
    );
    assert_eq!(node.once(), "");

    // Whoever deploys knows better, once.
    node.told(&Facts::slave().with("first_master", "10.9.9.2").with("epoch", "4"));
    assert!(
        node.once()
            .contains("first master 10.9.9.2 (/etc/mesosflow/cluster)")
    );
}

#[test]
fn what_is_published_and_cannot_be_is_refused() {
    let node = with_zookeeper();
    node.told(&first());
    node.once();
    node.forget();
    node.told(&Facts::slave().with("first_master", "10.9.9.10"));
    lay(&node);
    let core = node.read(CORE);
    for (what, text, refused) in [
        ("a page", "<html>", true),
        (
            "no address",
            "epoch=9\nfirst_master=10.9.9.400\nfirst_master_name=demo-master-1",
            true,
        ),
        ("a command", "epoch=9\nfirst_master=$(reboot)", true),
        ("no epoch", "first_master=10.9.9.3", true),
        (
            "a huge epoch",
            "epoch=99999999999\nfirst_master=10.9.9.3\nfirst_master_name=demo-master-1",
            true,
        ),
        ("a large one", &"x".repeat(3000), true),
        (
            "an older one",
            "epoch=2\nfirst_master=10.9.9.3\nfirst_master_name=demo-master-1",
            false,
        ),
        (
            "another's",
            "epoch=9\nfirst_master=10.9.9.3\nfirst_master_name=demo-master-2",
            false,
        ),
    ] {
        node.sh(&format!("cat > /tmp/text <<'END'\n{text}\nEND")).ok();
        client(&node, "set /mesosflow/demo \"$(cat /tmp/text)\"");
        let said = node.once();
        assert_eq!(
            said.contains("refused: what ZooKeeper has of the first master"),
            refused,
            "{what}: {said}"
        );
        assert_eq!(node.read(CORE), core, "{what}: {said}");
    }
}

#[test]
fn the_first_master_looks_after_its_own_address() {
    let node = with_zookeeper();
    node.told(&first().with("ip", OWN).with("first_master", OWN));
    node.once();
    // What is left is one that it shares with a ZooKeeper.
    node.sh("ip addr del 10.9.9.4/24 dev lo").ok();
    node.write(
        "/root/spark/conf/spark-defaults.conf",
        format!("spark.hadoop.fs.defaultFS hdfs://{OWN}:9000\n"),
    );
    let said = node.role(&["--again"]);
    assert!(
        said.err
            .contains("published in ZooKeeper: the first master is at 10.9.9.1"),
        "{}",
        said.err
    );
    assert_eq!(node.read("/etc/mesos-master/ip").unwrap(), "10.9.9.1");
    assert_eq!(
        node.read("/root/spark/conf/spark-defaults.conf").unwrap(),
        "spark.hadoop.fs.defaultFS hdfs://10.9.9.1:9000"
    );
    assert_eq!(node.zk().unwrap(), format!("zk://{ZOOKEEPERS}/mesos"));
    let again = node.role(&["--again"]);
    assert_eq!((again.code, again.err), (0, String::new()));
}
