//! What is written, and what is somebody else's.

use crate::role::rig::{Facts, Node};

/// Of all files, what another run would not change by being there.
fn everything(node: &Node) -> String {
    node.sh("find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /tmp \\) -prune -o -printf '%p %y %m %s %T@ %C@\\n' | LC_ALL=C sort | sha256sum; ls -A /tmp").ok()
}

#[test]
fn a_dry_run_writes_nothing_anywhere() {
    let node = Node::plain();
    let before = everything(&node);
    assert_eq!(node.role(&["--dry-run"]).code, 75);
    assert_eq!(everything(&node), before);
    node.told(&Facts::slave());
    let before = everything(&node);
    let would = node.role(&["--dry-run"]);
    assert!(
        would
            .err
            .contains("would write /etc/mesos-slave/hostname: demo-slave-1"),
        "{}",
        would.err
    );
    assert_eq!(everything(&node), before);
    node.once();
    node.told(
        &Facts::slave()
            .without("agent_flag")
            .with("zookeepers", "10.9.9.1:2181")
            .with("epoch", "4"),
    );
    let before = everything(&node);
    let would = node.role(&["--dry-run"]).err;
    assert!(
        would.contains("would write /etc/mesos/zk: ")
            && would.contains("would remove /etc/mesos-slave/launcher"),
        "{would}"
    );
    assert_eq!(everything(&node), before);
}

#[test]
fn flags_of_the_users_own_stay_and_count() {
    let node = Node::plain();
    let flag = |name: &str| node.read(&format!("/etc/mesos-slave/{name}"));
    // There before.
    node.write("/etc/mesos-slave/attributes", "rack:7\n");
    node.write("/etc/mesos-slave/?no-launcher", "");
    node.told(&Facts::slave().and("agent_flag", "--attributes=rack:1"));
    let said = node.once();
    assert!(
        said.contains("/etc/mesos-slave/attributes is somebody's own"),
        "{said}"
    );
    assert!(
        said.contains("/etc/mesos-slave/?no-launcher is somebody's own"),
        "{said}"
    );
    assert_eq!(
        (flag("attributes").unwrap(), flag("launcher")),
        ("rack:7".into(), None)
    );
    // Changed since, and added since.
    node.write("/etc/mesos-slave/port", "6051\n");
    node.write("/etc/mesos-slave/isolation", "posix/cpu\n");
    node.write("/etc/mesos-slave/?systemd_enable_support", "");
    let said = node.once();
    assert!(said.contains("/etc/mesos-slave/port is somebody's own"), "{said}");
    assert_eq!(
        (flag("port").unwrap(), flag("isolation").unwrap()),
        ("6051".into(), "posix/cpu".into())
    );
    // The switch of theirs is the opposite of ours, which goes.
    assert_eq!(
        (
            flag("?systemd_enable_support"),
            flag("?no-systemd_enable_support")
        ),
        (Some(String::new()), None)
    );
    // Given back.
    node.sh("rm /etc/mesos-slave/port /etc/mesos-slave/?systemd_enable_support")
        .ok();
    node.once();
    assert_eq!(
        (flag("port").unwrap(), flag("?no-systemd_enable_support")),
        ("5051".into(), Some(String::new()))
    );
    // What the cluster file names no more goes; what is somebody's own does not.
    node.told(&Facts::slave().without("agent_flag"));
    node.once();
    assert_eq!(
        (flag("?no-systemd_enable_support"), flag("attributes").unwrap()),
        (None, "rack:7".into())
    );
    // Its list is lost: it still knows which are its own.
    node.sh("rm /etc/mesos-slave/.mesosflow").ok();
    node.told(
        &Facts::slave()
            .without("agent_flag")
            .with("name", "demo-slave-9")
            .with("epoch", "4"),
    );
    node.once();
    assert_eq!(
        (flag("hostname").unwrap(), flag("isolation").unwrap()),
        ("demo-slave-9".into(), "posix/cpu".into())
    );
}

#[test]
fn it_leaves_only_what_is_the_users() {
    let node = Node::plain();
    let before = everything(&node);
    node.told(&Facts::slave().with("folders", "/mnt/a"));
    node.once();
    node.role(&["--leave"]).ok();
    node.sh("rm /etc/mesosflow/cluster && rmdir /etc/mesosflow").ok();
    let bare = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(bare(&everything(&node)), bare(&before));
    assert_eq!(node.sh("find / -xdev -name '*mesosflow*' ! -path '/opt/*' ! -path '/proc/*' ! -path '/usr/*' -newer /opt/mesosflow/roles/mesosflow-role").out, "");
    node.told(&Facts::slave());
    node.once();
    node.write("/etc/mesos-slave/isolation", "posix/cpu\n");
    node.write("/etc/mesos-slave/port", "6051\n");
    node.role(&["--leave"]).ok();
    assert_eq!(
        node.sh("cd /etc/mesos-slave && echo * .[a-z]*").ok(),
        "isolation port .[a-z]*"
    );
    assert!(!node.path("/etc/mesos").exists());
}

#[test]
fn names_that_an_engine_took_away_come_back() {
    let node = Node::plain();
    node.write(
        "/etc/mesosflow/names",
        include_str!("../../../steps/roles/mesos/names"),
    );
    node.write(
        "/etc/mesosflow/hosts",
        "10.9.9.9 demo-master-1\n10.9.9.44 demo-slave-1\n10.9.9.99 demo-slave-10\n",
    );
    node.write("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 image\n");
    node.told(&Facts::slave());
    node.once();
    let hosts = "127.0.0.1 localhost\n# before mesosflow: 127.0.1.1 image\n# mesosflow begin\n10.9.9.9 demo-master-1\n10.9.9.4 demo-slave-1\n\
                 10.9.9.99 demo-slave-10\n# mesosflow end";
    assert_eq!(node.read("/etc/hosts").unwrap(), hosts);
    node.write("/etc/hosts", "127.0.0.1 localhost\n");
    node.once();
    assert_eq!(
        node.read("/etc/hosts").unwrap(),
        hosts.replace("# before mesosflow: 127.0.1.1 image\n", "")
    );
    // Cut off while it was written in place: what lies beside it is whole.
    node.write("/etc/hosts.mesosflow.whole", format!("{hosts}\n"));
    node.write("/etc/hosts", "127.0.0.1 lo");
    node.once();
    assert_eq!(node.read("/etc/hosts").unwrap(), hosts);
    assert!(!node.path("/etc/hosts.mesosflow.whole").exists());
}
