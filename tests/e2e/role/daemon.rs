//! What the daemons are started with: their flags out of files, by a program that prints them.

use crate::role::rig::{Facts, Node, OWN, ZOOKEEPERS};

const SHOWS: &str = "#!/bin/sh\necho \"${0##*/}\"\nfor word; do printf '%s\\n' \"[$word]\"; done\n";

fn started(node: &Node, daemon: &str) -> Vec<String> {
    let ran = node.sh(&format!(
        "set -a; . /etc/mesosflow/mesos.env; set +a; exec sh /opt/mesosflow/roles/mesosflow-daemon {daemon}"
    ));
    ran.ok().lines().map(str::to_owned).collect()
}

#[test]
fn every_file_is_a_flag() {
    let node = Node::plain();
    let cpus = node.sh("nproc").ok();
    node.program("/opt/mesos/sbin/mesos-agent", SHOWS);
    node.told(&Facts::slave().with("mesos_home", "/opt/mesos"));
    node.once();
    node.write("/etc/mesos-slave/isolation", "posix/cpu,posix/mem\n");
    node.write("/etc/mesos-slave/?switch_user", "");
    node.write("/etc/mesos-slave/?no-strict", "");
    node.write("/etc/mesos-slave/not a flag", "x");
    node.write(
        "/etc/mesos-slave/modules",
        "{\"a\": \"b c\",\n \"d\": \"$HOME 'x'\"}\n",
    );
    node.sh("mkdir /etc/mesos-slave/folder").ok();
    let all = started(&node, "agent");
    assert_eq!(all[0], "mesos-agent");
    let text = all[1..].join("\n");
    let resources = node.read("/etc/mesos-slave/resources").unwrap();
    assert!(resources.starts_with(&format!("cpus:{cpus};mem:")), "{resources}");
    let flags = [
        &format!("[--master=zk://{ZOOKEEPERS}/mesos]"),
        "[--no-strict]",
        "[--no-systemd_enable_support]",
        "[--switch_user]",
        "[--executor_environment_variables={\"LD_LIBRARY_PATH\":\"/opt/mesos/lib\"}]",
        "[--hostname=demo-slave-1]",
        &format!("[--ip={OWN}]"),
        "[--isolation=posix/cpu,posix/mem]",
        "[--launcher=posix]",
        "[--log_dir=/mnt/mesos-logs]",
        "[--modules={\"a\": \"b c\",\n \"d\": \"$HOME 'x'\"}]",
        "[--port=5051]",
        &format!("[--resources={resources}]"),
        "[--runtime_dir=/run/mesos]",
        "[--work_dir=/mnt/mesos-work]",
    ];
    let mut wanted: Vec<&str> = flags.to_vec();
    let mut had: Vec<String> = text
        .split("]\n[")
        .map(|flag| format!("[{}]", flag.trim_matches(['[', ']'])))
        .collect();
    had.sort();
    wanted.sort_unstable();
    let wanted: Vec<String> = wanted
        .iter()
        .map(|flag| format!("[{}]", flag.trim_matches(['[', ']'])))
        .collect();
    assert_eq!(had, wanted);

    // Its owner has it meet elsewhere.
    node.write("/etc/mesos-slave/master", "10.9.9.3:5050\n");
    let all = started(&node, "agent").join("\n");
    assert_eq!(all.matches("[--master=").count(), 1, "{all}");
    assert!(all.contains("[--master=10.9.9.3:5050]"));
}

#[test]
fn masters_have_a_quorum_or_are_alone() {
    let node = Node::plain();
    node.program("/opt/mesos/sbin/mesos-master", SHOWS);
    node.told(&Facts::master().with("mesos_home", "/opt/mesos"));
    node.once();
    let all = started(&node, "master");
    for flag in [
        &format!("[--zk=zk://{ZOOKEEPERS}/mesos]"),
        "[--quorum=2]",
        "[--cluster=demo]",
        "[--hostname=demo-master-2]",
        "[--registry_fetch_timeout=2mins]",
    ] {
        assert!(all.iter().any(|it| it == flag), "{flag}: {all:?}");
    }
    node.told(
        &Facts::master()
            .with("mesos_home", "/opt/mesos")
            .with("masters", "1")
            .with("zookeepers", ""),
    );
    node.once();
    let all = started(&node, "master").join(" ");
    assert!(
        !all.contains("--zk") && !all.contains("--quorum") && !all.contains("--master="),
        "{all}"
    );
    // There is no such program.
    let none = node.sh("MESOS_HOME=/nowhere sh /opt/mesosflow/roles/mesosflow-daemon agent");
    assert_eq!(none.code, 127, "{}", none.err);
}
