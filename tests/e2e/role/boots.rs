//! With systemd: a node of which nobody knows anything boots to its end, and its daemons start once somebody does; what a change
//! restarts, and what it must not.

use std::fs;

use crate::role::rig::{Facts, LIMIT, Node};
use mesosflow_tests::until;

const ROLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../steps/roles");
/// Stands where Mesos' agent would: what is at its address says that a task of a framework runs while `/tmp/task` is there.
const AGENT: &str = "#!/bin/sh\necho \"$@\" >> /tmp/starts\nexec sleep infinity\n";

fn lay_units(node: &Node) {
    for unit in [
        "mesos/mesosflow-role.service",
        "mesos/mesosflow-role-again.service",
        "mesos/mesosflow-role-again.timer",
        "mesos-slave/mesos-slave.service",
    ] {
        let name = unit.split('/').next_back().unwrap();
        node.write(
            &format!("/etc/systemd/system/{name}"),
            fs::read_to_string(format!("{ROLES}/{unit}")).unwrap(),
        );
    }
    node.program("/root/mesos/sbin/mesos-agent", AGENT);
    node.sh("systemctl daemon-reload; systemctl enable -q mesosflow-role.service mesosflow-role-again.timer mesos-slave.service").ok();
}
fn starts(node: &Node) -> usize {
    node.read("/tmp/starts").map_or(0, |text| text.lines().count())
}

#[test]
fn who_waits_keeps_nobody_else_from_booting() {
    let node = Node::booted();
    lay_units(&node);
    // As at boot: the target with all that it wants.
    node.sh("systemctl isolate --no-block multi-user.target").ok();
    until("the boot to go on", LIMIT, || {
        node.sh("systemctl is-active mesosflow-role.service").ok_if()
    });
    until("waiting", LIMIT, || node.read("/run/mesosflow/role/said/waiting"));
    until("no job but the one that waits", LIMIT, || {
        let jobs = node.sh("systemctl list-jobs --no-legend").out;
        jobs.lines()
            .all(|line| line.contains("mesosflow-role-again.service"))
            .then_some(())
    });
    assert_eq!(node.sh("systemctl is-active multi-user.target").ok(), "active");
    assert_eq!(
        (
            node.sh("systemctl is-failed mesos-slave.service").out.trim(),
            starts(&node)
        ),
        ("inactive", 0)
    );
    node.told(&Facts::slave());
    until("the agent", LIMIT, || {
        node.sh("systemctl is-active mesos-slave.service").ok_if()
    });
    until("its start", LIMIT, || (starts(&node) == 1).then_some(()));
    let log = node
        .sh("journalctl --no-pager -o cat -u mesosflow-role -u mesosflow-role-again")
        .ok();
    assert_eq!(log.matches("waiting: ").count(), 1, "{log}");
    assert!(log.contains("starting mesos-slave.service"), "{log}");
}

#[test]
fn what_changes_is_started_anew_but_no_agent_whose_tasks_would_be_lost() {
    let node = Node::booted();
    lay_units(&node);
    node.told(&Facts::slave().and("agent_flag", "--attributes=rack:1"));
    node.sh("systemctl start mesosflow-role.service && systemctl start mesos-slave.service")
        .ok();
    until("the agent", LIMIT, || (starts(&node) == 1).then_some(()));
    let once = |facts: &Facts| {
        node.told(facts);
        node.once()
    };
    // Nothing but the name of the framework's driver: none is started anew.
    assert!(
        !once(
            &Facts::slave()
                .and("agent_flag", "--attributes=rack:1")
                .with("first_master", "10.9.9.8")
        )
        .contains("restarting")
    );
    let said = once(&Facts::slave().and("agent_flag", "--attributes=rack:2"));
    assert!(
        said.contains("restarting mesos-slave.service: its flags are others"),
        "{said}"
    );
    until("another agent", LIMIT, || (starts(&node) == 2).then_some(()));

    // An executor lives.
    let run = "/mnt/mesos-work/meta/slaves/S1/frameworks/F/executors/E/runs/R";
    node.sh(&format!(
        "mkdir -p {run}/pids; ln -sfn S1 /mnt/mesos-work/meta/slaves/latest; printf 1 > {run}/pids/forked.pid"
    ))
    .ok();
    let moved = Facts::slave()
        .with("name", "demo-slave-7")
        .and("agent_flag", "--attributes=rack:3")
        .with("epoch", "4");
    let said = once(&moved);
    for flag in ["hostname", "attributes"] {
        assert!(said.contains(&format!("the agent's {flag} stays ")), "{said}");
    }
    assert!(!said.contains("restarting"), "{said}");
    assert_eq!(node.read("/etc/mesos-slave/hostname").unwrap(), "demo-slave-1");
    assert_eq!(node.read("/etc/mesos-slave/attributes").unwrap(), "rack:2");
    // Where they go away altogether, they stay too.
    once(&Facts::slave().with("name", "demo-slave-7").with("epoch", "5"));
    assert_eq!(node.read("/etc/mesos-slave/attributes").unwrap(), "rack:2");
    // Another ZooKeeper ends no task: the agent takes them up again.
    let said = once(&moved.with("zookeepers", "10.9.9.1:2181").with("epoch", "6"));
    assert!(said.contains("restarting mesos-slave.service"), "{said}");
    until("a third agent", LIMIT, || (starts(&node) == 3).then_some(()));
    // It has ended.
    node.sh(&format!("touch {run}/executor.sentinel")).ok();
    let said = node.once();
    assert!(said.contains("restarting mesos-slave.service"), "{said}");
    assert_eq!(node.read("/etc/mesos-slave/hostname").unwrap(), "demo-slave-7");
}
