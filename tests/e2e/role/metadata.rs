//! EC2's metadata: what tags say, what they cannot say, and a service that does not answer.

use std::fs;

use crate::role::rig::{Facts, Node, OWN, ZOOKEEPERS};

const SERVICE: &str = env!("CARGO_BIN_EXE_role-metadata");
const PAGE: &str = "<!DOCTYPE html><html><body>Please log in</body></html>";

/// A node of EC2's, whose metadata is what is in a folder.
struct Machine(Node);

impl Machine {
    fn new() -> Self {
        let mut node = Node::plain();
        let folder = node.bench.path("metadata");
        fs::create_dir_all(&folder).unwrap();
        node.beside(SERVICE, &[folder.to_str().unwrap()], Some("answers"));
        let machine = Self(node);
        machine.heal();
        machine
    }

    fn say(&self, path: &str, text: &str) {
        self.0.bench.write(&format!("metadata/{path}"), text);
    }

    fn tag(&self, key: &str, text: &str) {
        self.say(&format!("tags/instance/mesosflow:{key}"), text);
    }

    fn untag(&self) {
        fs::remove_dir_all(self.0.bench.path("metadata/tags")).unwrap();
    }

    /// What is true: the newest epoch, of tags. And nothing was said of what was not.
    fn heal(&self) {
        let _none = fs::remove_dir_all(self.0.path("/run/mesosflow/role/said"));
        let folder = self.0.bench.path("metadata");
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let _gone = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
        }
        for (path, text) in [
            ("local-ipv4", OWN),
            ("local-hostname", "ip-10-9-9-4.ec2.internal"),
            ("public-ipv4", "198.51.100.7"),
            ("public-hostname", "ec2-198-51-100-7.compute-1.amazonaws.com"),
            ("placement/availability-zone", "us-east-1b"),
            ("instance-type", "m5d.large"),
        ] {
            self.say(path, text);
        }
        for (key, text) in [
            ("epoch", "5"),
            ("masters", "3"),
            ("zookeepers", ZOOKEEPERS),
            ("role", "slave"),
            ("cluster", "demo"),
        ] {
            self.tag(key, text);
        }
    }
}

#[test]
fn a_slave_joins_by_tags_and_has_its_machines_name() {
    let machine = Machine::new();
    let node = &machine.0;
    node.told(&Facts::joins());
    lay_names(node);
    let said = node.once();
    assert!(said.contains("(EC2's metadata, epoch 5)"), "{said}");
    knows_its_own_name(node);
    assert_eq!(node.zk().unwrap(), format!("zk://{ZOOKEEPERS}/mesos"));
    assert_eq!(
        node.read("/etc/mesos-slave/hostname").unwrap(),
        "ip-10-9-9-4.ec2.internal"
    );
    assert_eq!(
        node.read("/etc/mesos-slave/attributes").unwrap(),
        "zone:us-east-1b;instance_type:m5d.large"
    );
    let env = node.read("/etc/mesosflow/mesos.env").unwrap();
    assert!(
        env.contains("MESOS_PUBLIC_DNS=ec2-198-51-100-7.compute-1.amazonaws.com"),
        "{env}"
    );
    // Who is not EC2's does not ask.
    machine.tag("epoch", "9");
    machine.tag("zookeepers", "10.9.9.1:2181");
    node.told(&Facts::slave());
    node.once();
    assert_eq!(node.zk().unwrap(), format!("zk://{ZOOKEEPERS}/mesos"));
}

/// The names that user data brings: no joining machine is among them. What cloud-init wrote leads a name to an address that nobody else has.
fn lay_names(node: &Node) {
    node.write(
        "/etc/mesosflow/names",
        include_str!("../../../steps/roles/mesos/names"),
    );
    node.write("/etc/mesosflow/hosts", "10.9.9.9 demo-master-1\n");
    let own = node.sh("uname -n").ok();
    node.write("/etc/hosts", format!("127.0.1.1 {own}\n127.0.0.1 localhost\n"));
}

/// By both its names, of which no DNS knows here, and once, however often it boots.
fn knows_its_own_name(node: &Node) {
    let own = node.sh("uname -n").ok();
    for name in ["ip-10-9-9-4.ec2.internal", &own] {
        let address = node.sh(&format!("getent ahostsv4 {name}")).ok();
        assert!(address.starts_with("10.9.9.4 "), "{name}: {address}");
    }
    node.once();
    let hosts = node.read("/etc/mesosflow/hosts").unwrap();
    assert_eq!(
        hosts,
        format!("10.9.9.9 demo-master-1\n10.9.9.4 ip-10-9-9-4.ec2.internal {own} # this machine")
    );
}

#[test]
fn the_newest_epoch_wins_and_the_file_where_both_are_as_new() {
    let machine = Machine::new();
    let node = &machine.0;
    machine.tag("zookeepers", "10.9.9.1:2181");
    for (of_file, wins) in [("4", "tags"), ("5", "file"), ("6", "file")] {
        node.forget();
        node.told(
            &Facts::slave()
                .with("provider", "ec2")
                .with("zookeepers", "10.9.9.3:2181")
                .with("epoch", of_file),
        );
        node.once();
        let zk = if wins == "tags" {
            "zk://10.9.9.1:2181/mesos"
        } else {
            "zk://10.9.9.3:2181/mesos"
        };
        assert_eq!(node.zk().unwrap(), zk, "{of_file}");
    }
    // Tags that are gone take nothing back: they were the newer.
    node.forget();
    node.told(
        &Facts::slave()
            .with("provider", "ec2")
            .with("zookeepers", "10.9.9.3:2181"),
    );
    node.once();
    machine.untag();
    assert!(node.once().contains("any more; what was said before stays"));
    assert_eq!(node.zk().unwrap(), "zk://10.9.9.1:2181/mesos");
    // What was believed and is put right again was not for good.
    machine.tag("epoch", "900");
    machine.tag("zookeepers", "10.9.9.2:2181");
    node.once();
    machine.tag("epoch", "5");
    machine.tag("zookeepers", "10.9.9.1:2181");
    node.once();
    assert_eq!(node.zk().unwrap(), "zk://10.9.9.1:2181/mesos");
}

#[test]
fn tags_that_cannot_be_change_nothing() {
    let machine = Machine::new();
    let node = &machine.0;
    node.told(&Facts::slave().with("provider", "ec2").without("zookeepers"));
    node.once();
    let state = node.state();
    for (key, text) in [
        ("zookeepers", PAGE),
        ("zookeepers", "10.9.9.1:2181\nrole=mesos-master"),
        ("zookeepers", "10.9.9.1:2181\r\n"),
        ("zookeepers", "10.9.9.1:2181;reboot"),
        ("zookeepers", "10.9.9.1:2181,"),
        ("zookeepers", "10.9.9.1\u{0}:2181"),
        ("epoch", "99999999999999999999"),
        ("epoch", ""),
        ("masters", "three"),
        ("role", "zookeeper"),
        ("role", "master"),
        ("cluster", "other"),
    ] {
        machine.tag("epoch", "8");
        machine.tag("zookeepers", "10.9.9.2:2181");
        machine.tag(key, text);
        let said = node.once();
        assert_eq!(
            said.matches("refused: EC2's metadata").count(),
            1,
            "{key} {text:?}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{key} {text:?}: {said}");
        assert_eq!(node.state(), state, "{key} {text:?}");
        machine.heal();
    }
    machine.tag("zookeepers", &"x".repeat(10_000));
    assert!(node.once().contains("refused"));
    machine.heal();
    // Nothing is known before, and the file knows: it is asked next.
    node.forget();
    machine.tag("zookeepers", PAGE);
    node.told(
        &Facts::slave()
            .with("provider", "ec2")
            .with("zookeepers", "10.9.9.3:2181"),
    );
    assert!(node.once().contains("refused: EC2's metadata"));
    assert_eq!(node.zk().unwrap(), "zk://10.9.9.3:2181/mesos");
}

#[test]
fn facts_of_the_machine_that_cannot_be_stay_what_they_were() {
    let machine = Machine::new();
    let node = &machine.0;
    node.told(&Facts::joins());
    node.once();
    let state = node.state();
    for (path, text) in [
        ("local-ipv4", "10.9.9.400"),
        ("local-ipv4", PAGE),
        ("local-hostname", "a b"),
        ("local-hostname", "$(reboot)"),
        ("placement/availability-zone", "a;b:c"),
        ("instance-type", PAGE),
        ("public-ipv4", "999.1.1.1"),
        ("public-hostname", ""),
    ] {
        machine.say(path, text);
        let said = node.once();
        assert!(
            said.contains(&format!("refused: EC2's metadata has something for {path}")),
            "{path} {text:?}: {said}"
        );
        assert_eq!(node.state(), state, "{path} {text:?}");
        machine.heal();
    }
}

#[test]
fn a_service_that_does_not_answer_costs_two_seconds_and_nothing_else() {
    let machine = Machine::new();
    let node = &machine.0;
    node.told(&Facts::joins());
    node.once();
    let state = node.state();
    for (path, text) in [
        ("token.hang", ""),
        ("token.500", ""),
        ("token", PAGE),
        ("token", ""),
        ("local-hostname.hang", ""),
        ("local-hostname.500", ""),
        ("tags/instance/mesosflow:zookeepers.hang", ""),
        ("tags/instance/mesosflow:epoch.500", ""),
    ] {
        machine.say(path, text);
        let said = node.once();
        assert!(
            said.contains("EC2's metadata does not answer; what was said before stays"),
            "{path}: {said}"
        );
        assert_eq!(node.state(), state, "{path}");
        machine.heal();
    }
}
