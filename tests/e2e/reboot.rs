//! Nodes that boot again, one by one and all at once: the cluster is back without anybody's help, the shared volume included,
//! whichever node comes up last. A daemon whose disk did not come back stays down, is named, and writes nothing beneath the
//! mount point.

use crate::changed::invocations;
use mesosflow_tests::{Bench, Node, Nodes, RUN_LIMIT, assert_healthy, until};

/// The disk that is lost: one that a datanode alone writes to.
const DISK: &str = "/mnt/ephemeral-hdfs/data";
const DATANODE: &str = "ephemeral-hdfs-datanode.service";
/// The units of mesosflow's that start by themselves.
const ENABLED: &str =
    "cd / && for unit in $(cd /root/mesos-ec2/units && ls) mesos-master.service mesos-slave.service; do
    [ ! -e /etc/systemd/system/multi-user.target.wants/$unit ] || echo $unit; done";

#[test]
fn nodes_that_boot_again_are_a_cluster_again() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "2"]);
    let run = live.run();
    live.finish(RUN_LIMIT).ended(0);
    let nodes = bench.nodes(&run);
    for node in nodes.all() {
        requires_its_disks(node);
    }

    // One slave; the first master follows below, with the other slave's mount open all the time.
    let slaves = nodes.of("slave");
    reboot(&bench, &[slaves[1]]);
    is_back(&nodes);
    // The engine takes its time: the slaves are up before their first master is.
    let mut all = slaves.clone();
    all.push(nodes.hub());
    reboot(&bench, &all);
    is_back(&nodes);
    goes_on(&mut bench, &nodes);
    without_its_first_master(&bench, &nodes);
    without_a_disk(&mut bench, &run, &nodes);
}

fn reboot(bench: &Bench, nodes: &[&Node]) {
    let names = nodes.iter().map(|node| node.container.as_str());
    let args: Vec<_> = ["restart"].into_iter().chain(names).collect();
    bench.engine().run(&args).ok();
}

/// What changes the cluster next starts no daemon anew that it does not concern: they run as they are configured since they booted.
fn goes_on(bench: &mut Bench, nodes: &Nodes) {
    let of_hdfs = || {
        let mut all = invocations(nodes);
        all.retain(|(_, unit), _| unit.contains("hdfs"));
        all
    };
    let before = of_hdfs();
    assert!(before.len() >= 6, "{before:?}");
    bench.config("mesos.agent_flags = ['--isolation=posix/mem']\n");
    bench.start(&["configure", "--yes"]).finish(RUN_LIMIT).ended(0);
    assert_eq!(of_hdfs(), before);
}

/// Nobody has looked into the folder before it is mounted.
#[track_caller]
fn is_back(nodes: &Nodes) {
    for slave in nodes.of("slave") {
        until(&format!("a mount on {}", slave.name), RUN_LIMIT, || {
            let seen = slave.run("findmnt --noheadings --output FSTYPE --mountpoint /mnt/nfs");
            (seen.out.trim().ends_with("fuse.sshfs")).then_some(())
        });
        assert!(
            slave
                .ask("findmnt --noheadings --output FSTYPE --mountpoint /mnt/nfs")
                .contains("autofs"),
            "{}: nothing guards the folder beneath the mount",
            slave.name
        );
    }
    for node in nodes.all() {
        until(&format!("every daemon on {}", node.name), RUN_LIMIT, || {
            let seen = node.run(&format!("systemctl is-active $({ENABLED})"));
            let is_up = |state: &str| state == "active";
            (!seen.out.is_empty() && seen.out.lines().all(is_up)).then_some(())
        });
    }
    assert_healthy(nodes);
}

/// Every folder on a disk that a unit names is one that it requires the disk of.
fn requires_its_disks(node: &Node) {
    let written = format!(
        r#"for unit in $({ENABLED}); do
          required=$(systemctl show --property RequiresMountsFor --value $unit)
          [ -n "$required" ] || echo "$unit requires nothing"
          for folder in $(grep -hoE '(/mnt[0-9]*|/vol)/[a-z/-]+' /etc/systemd/system/$unit | sort -u); do
            covered=
            for path in $required; do case $folder/ in $path/*) covered=1 ;; esac; done
            [ -n "$covered" ] || echo "$unit: $folder"
          done
        done"#
    );
    assert_eq!(node.ask(&written), "", "on {}", node.name);
}

/// As long as the first master is away, what is written to the shared folder is refused, and not put beneath it.
fn without_its_first_master(bench: &Bench, nodes: &Nodes) {
    let slaves = nodes.of("slave");
    let (hub, slave) = (nodes.hub(), slaves[0]);
    bench.engine().run(&["stop", &hub.container]).ok();
    reboot(bench, &[slave]);
    until("an automount", RUN_LIMIT, || {
        (slave.run("systemctl is-active mnt-nfs.automount").code == 0).then_some(())
    });
    assert_ne!(slave.run("touch /mnt/nfs/beneath").code, 0);
    bench.engine().run(&["start", &hub.container]).ok();
    is_back(nodes);
    assert_eq!(slave.run("ls /mnt/nfs/beneath").code, 2);
}

fn without_a_disk(bench: &mut Bench, run: &str, nodes: &Nodes) {
    let slaves = nodes.of("slave");
    let slave = slaves[0];
    slave.ask(&format!(
        "systemctl stop {DATANODE} && find {DISK} -mindepth 1 -delete &&
        echo 'UUID=6d65736f-0000-4000-8000-000000000001 {DISK} ext4 noatime,nofail,x-systemd.device-timeout=2s 0 0' >> /etc/fstab"
    ));
    reboot(bench, &[slave]);
    // Other daemons of that node do not need that disk.
    until("the agent", RUN_LIMIT, || {
        (slave.run("systemctl is-active mesos-slave.service").code == 0).then_some(())
    });
    until("the end of the datanode's start", RUN_LIMIT, || {
        let jobs = slave.run("systemctl list-jobs --no-legend");
        (jobs.code == 0 && !jobs.out.contains("hdfs")).then_some(())
    });
    assert_eq!(
        slave.run(&format!("systemctl is-active {DATANODE}")).out.trim(),
        "inactive"
    );
    assert_eq!(
        slave.ask(&format!("ls -A {DISK}")),
        "",
        "written beneath the mount point"
    );
    for step in ["cluster-health", "hdfs-start"] {
        bench
            .say(&["replay", run, "--from", step, "--only"])
            .ended(1)
            .complains(&[&slave.name, DATANODE, DISK, "not mounted"]);
    }
    // Nor may a script: what it would empty is on the disk that is away.
    bench
        .say(&["replay", run, "--from", "hdfs-format", "--only", "--yes"])
        .ended(1)
        .complains(&[&slave.name, DISK, "not mounted"]);
    assert_eq!(
        slave.ask(&format!("ls -A {DISK}")),
        "",
        "written beneath the mount point"
    );

    // Another disk in its place.
    slave.ask(&format!("mount -t tmpfs disk {DISK}"));
    // The replay of the one step, then what it made stale.
    for _ in 0..2 {
        bench.start(&["resume", run]).finish(RUN_LIMIT).ended(0);
    }
    bench.status(run).all_done();
    assert_healthy(nodes);
}
