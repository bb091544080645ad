//! What went wrong on nodes that stand, seen and mended: a step that was cut off between two of its acts, a daemon that stopped
//! after its step had succeeded, blocks of which no copy is left.

use mesosflow_tests::{Bench, Hdfs, Node, Nodes, RUN_LIMIT, assert_healthy, until};

const SHARED: &str = "mesosflow-shared-volume.service";
const DATANODE: &str = "persistent-hdfs-datanode.service";

#[test]
fn what_went_wrong_on_nodes_that_stand_is_seen_and_mended() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "1"]);
    let run = live.run();
    live.finish(RUN_LIMIT).ended(0);
    let nodes = bench.nodes(&run);

    a_mount_that_was_cut_off_is_done_again(&mut bench, &run, &nodes);
    a_mount_that_is_refused_once_is_tried_again(&mut bench, &run, &nodes);
    a_daemon_that_stopped_is_started_by_resume(&mut bench, &run, &nodes);
    blocks_that_are_lost_are_counted_and_accepted_by_nobody_else(&mut bench, &run, &nodes);
    assert_healthy(&nodes);
}

fn slave(nodes: &Nodes) -> &Node {
    nodes.of("slave")[0]
}

/// Enabled, and not started: as it is between two acts of the step.
fn a_mount_that_was_cut_off_is_done_again(bench: &mut Bench, run: &str, nodes: &Nodes) {
    let slave = slave(nodes);
    for left in [
        format!("systemctl stop {SHARED} && systemctl start mnt-nfs.mount"),
        format!("systemctl disable {SHARED}"),
        format!("systemctl stop {SHARED} mnt-nfs.automount && systemctl start mnt-nfs.mount"),
    ] {
        slave.ask(&left);
        bench
            .say(&["replay", run, "--from", "nfs-mount", "--only"])
            .ended(0);
        let generation = bench.status(run).generation();
        let history = bench.history(run);
        let how = history
            .of("step_succeeded", generation)
            .find(|event| event["step"] == "nfs-mount" && !event["item"].is_null());
        assert_eq!(how.unwrap()["how"], "applied", "after {left}: {how:?}");
        for asked in ["is-active", "is-enabled"] {
            slave.ask(&format!("systemctl {asked} {SHARED}"));
        }
        if slave.run("test -c /dev/autofs").code == 0 {
            slave.ask("systemctl is-active mnt-nfs.automount");
        }
    }
}

/// The program that mounts fails at its first call.
fn a_mount_that_is_refused_once_is_tried_again(bench: &mut Bench, run: &str, nodes: &Nodes) {
    let slave = slave(nodes);
    slave.ask(&format!(
        r#"systemctl stop {SHARED} mnt-nfs.automount mnt-nfs.mount
mv /usr/bin/sshfs /usr/bin/sshfs.real
cat > /usr/bin/sshfs <<'END'
#!/bin/sh
mv /usr/bin/sshfs.real /usr/bin/sshfs
echo "read: Connection reset by peer" >&2
exit 1
END
chmod 755 /usr/bin/sshfs"#
    ));
    bench
        .say(&["replay", run, "--from", "nfs-mount", "--only"])
        .ended(0);
    let generation = bench.status(run).generation();
    let history = bench.history(run);
    let failed: Vec<_> = history
        .of("step_failed", generation)
        .filter(|event| event["step"] == "nfs-mount")
        .collect();
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert_eq!(failed[0]["error"]["class"], "transient", "{:#}", failed[0]);
    slave.ask(&format!("systemctl is-active {SHARED}"));
}

fn a_daemon_that_stopped_is_started_by_resume(bench: &mut Bench, run: &str, nodes: &Nodes) {
    let slave = slave(nodes);
    let stopped = [SHARED, "mesos-slave.service", DATANODE];
    slave.ask(&format!("systemctl stop {}", stopped.join(" ")));
    let said = bench
        .say(&["replay", run, "--from", "cluster-health", "--only"])
        .ended(1);
    said.complains(&stopped)
        .complains(&[&slave.name, "resume", "starts"])
        .complains(&["nfs-mount", "mesos-start", "persistent-hdfs-start"]);
    bench.say(&["resume", run]).ended(0);
    bench.status(run).all_done();
    for unit in stopped {
        slave.ask(&format!("systemctl is-active {unit}"));
    }
}

fn blocks_that_are_lost_are_counted_and_accepted_by_nobody_else(bench: &mut Bench, run: &str, nodes: &Nodes) {
    let hub = nodes.hub();
    for hdfs in Hdfs::BOTH {
        hub.ask(&format!(
            "head -c 1000 /dev/urandom | {}",
            hdfs.command("dfs -put -f - /lost")
        ));
    }
    lose_all(nodes, Hdfs::Ephemeral);
    let said = bench
        .say(&["replay", run, "--from", "cluster-health", "--yes"])
        .ended(0);
    for text in ["ephemeral HDFS", "1 block"] {
        assert!(said.err.contains(text), "{text:?} is missing:\n{}", said.err);
    }
    let health = bench.history(run);
    let health = health
        .events()
        .iter()
        .rev()
        .find(|event| event["kind"] == "step_succeeded" && event["step"] == "cluster-health");
    let counted = &health.unwrap()["output"]["lost_blocks"][0];
    assert_eq!(
        (&counted["hdfs"], &counted["missing"]),
        (&"ephemeral".into(), &1.into()),
        "{counted}"
    );

    lose_all(nodes, Hdfs::Persistent);
    bench
        .say(&["replay", run, "--from", "cluster-health", "--only"])
        .ended(130)
        .complains(&[
            "persistent HDFS",
            "1 block",
            "fsck / -delete",
            "persistent-hdfs-format",
        ]);
    bench.say(&["resume", run]).ended(130);
    // What it found is what it ends with, whatever it did about it.
    let given_up = hub.run(&Hdfs::Persistent.command("fsck / -delete"));
    assert!(given_up.out.contains("/lost: "), "{}", given_up.out);
    bench.say(&["resume", run]).ended(0);
    bench.status(run).all_done();
}

/// The only copies are gone, as with a machine that is another one by now, and the namenode has heard of it.
fn lose_all(nodes: &Nodes, hdfs: Hdfs) {
    let word = hdfs.word();
    let home = match hdfs {
        Hdfs::Ephemeral => "/mnt/ephemeral-hdfs",
        Hdfs::Persistent => "/vol/persistent-hdfs",
    };
    for slave in nodes.of("slave") {
        slave.ask(&format!(
            "systemctl stop {word}-hdfs-datanode.service
             find {home}/data -mindepth 1 -delete
             systemctl start {word}-hdfs-datanode.service"
        ));
    }
    until("missing blocks", RUN_LIMIT, || {
        let report = nodes.hub().run(&hdfs.command("dfsadmin -report")).out;
        let missing = report
            .lines()
            .find_map(|line| line.strip_prefix("Missing blocks: "));
        missing.is_some_and(|count| count.trim() != "0").then_some(())
    });
}
