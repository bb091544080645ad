//! A run that is stopped, held, or meets a node that fails: Ctrl-C ends it in good order and `resume` goes on; while one
//! process has a run, every other one is refused; a dead node and a node whose sshd dies are named in the error, and once
//! they are back the run goes on; a command that never ends on a node keeps no Ctrl-C waiting and meets its limit.

use mesosflow_tests::{Bench, Live, Node, Point, RUN_LIMIT, Watch, assert_healthy, until};

#[test]
fn a_run_is_stopped_held_and_survives_failing_nodes() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "1"]);
    let run = live.run();

    until_point(&bench, &run, &mut live, Point::item_started("setup-nodes"));
    held(&mut bench, &run, &cluster, &mut live);
    interrupted(&mut bench, &run, live);
    with_a_dead_node(&mut bench, &run);
    with_a_dead_sshd(&mut bench, &run);

    bench.start(&["resume", &run]).finish(RUN_LIMIT).ended(0);
    bench.status(&run).all_done();
    bench.history(&run).assert_nothing_done_twice();
    assert_healthy(&bench.nodes(&run));
}

fn until_point(bench: &Bench, run: &str, live: &mut Live, point: Point) {
    let before = bench.history(run);
    let passed = before
        .events()
        .iter()
        .rposition(|event| event["kind"] == "run_adopted")
        .unwrap_or_default();
    Watch::new(bench.journal(), run, passed as u64).point(live, RUN_LIMIT, point);
}

/// While the run goes on, nobody else may touch it.
fn held(bench: &mut Bench, run: &str, cluster: &str, live: &mut Live) {
    let pid = live.pid().to_string();
    let containers = bench.engine().containers(cluster);
    bench.say(&["resume", run]).ended(3).complains(&[run, &pid]);
    bench
        .say(&["destroy", run, "--yes"])
        .ended(3)
        .complains(&[run, &pid]);
    bench
        .say(&["run", "--cluster", cluster])
        .ended(3)
        .complains(&[cluster, run]);
    assert_eq!(bench.status(run).state(), "running");
    assert!(live.ended().is_none(), "it ended while others were refused");
    assert_eq!(bench.engine().containers(cluster), containers);
}

fn interrupted(bench: &mut Bench, run: &str, live: Live) {
    live.interrupt();
    let said = live
        .finish(RUN_LIMIT)
        .ended(130)
        .complains(&["interrupted", "resume", run]);
    assert_eq!(said.run(), run);
    assert_eq!(bench.status(run).state(), "interrupted");
    let history = bench.history(run);
    assert_eq!(history.events().last().unwrap()["kind"], "run_interrupted");
    history.assert_nothing_done_twice();
}

/// A container that was killed is a machine that has lost its power: somebody has to start it, and the run waits for that.
fn with_a_dead_node(bench: &mut Bench, run: &str) {
    let slave = slave(bench, run);
    bench.engine().run(&["kill", &slave.container]).ok();
    let said = bench.start(&["resume", run]).finish(RUN_LIMIT).ended(130);
    said.complains(&[&slave.name, "paused", "start", &slave.container, "resume"]);
    assert_eq!(bench.status(run).state(), "interrupted");
    bench.engine().run(&["start", &slave.container]).ok();
    until("sshd after the node's start", RUN_LIMIT, || {
        (slave.run("systemctl is-active ssh").code == 0).then_some(())
    });
}

/// sshd dies while the run goes on, and every open session with it.
fn with_a_dead_sshd(bench: &mut Bench, run: &str) {
    let slave = slave(bench, run);
    let mut live = bench.start(&["resume", run]);
    live.run();
    until_point(bench, run, &mut live, Point::started("hdfs-format"));
    slave.ask("systemctl stop ssh.socket ssh 2>/dev/null; systemctl stop ssh; pkill -KILL -x sshd; true");
    live.finish(RUN_LIMIT).ended(1).complains(&[&slave.name]);
    assert_eq!(bench.status(run).state(), "failed");
    slave.ask("systemctl start ssh");
}

fn slave(bench: &Bench, run: &str) -> Node {
    bench.nodes(run).of("slave")[0].clone()
}

#[test]
fn a_command_that_never_ends_meets_its_limit() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "1"]);
    let run = live.run();
    until_point(&bench, &run, &mut live, Point::started("render-config"));
    live.kill();

    let slave = slave(&bench, &run);
    slave.ask(
        "mv /usr/bin/hostname /usr/bin/hostname.real
        printf '#!/bin/sh\\nexec sleep infinity\\n' > /usr/bin/hostname && chmod 755 /usr/bin/hostname",
    );
    // It keeps nobody from leaving: the first Ctrl-C waits some seconds for it, the second does not.
    for signals in 1..=2 {
        let mut live = bench.start(&["resume", &run]);
        live.run();
        until_point(&bench, &run, &mut live, Point::item_started("hostnames"));
        live.interrupt();
        if signals == 2 {
            until("the answer to the first Ctrl-C", RUN_LIMIT, || {
                live.err().contains("stopping").then_some(())
            });
            live.interrupt();
        }
        live.finish(RUN_LIMIT).ended(130);
        let state = if signals == 1 { "interrupted" } else { "crashed" };
        assert_eq!(bench.status(&run).state(), state);
    }

    let said = bench.start(&["resume", &run]).finish(RUN_LIMIT).ended(1);
    said.complains(&["hostnames", &slave.name]);
    let status = bench.status(&run);
    assert_eq!(status.state(), "failed");
    assert_eq!(status.step("hostnames")["state"], "failed");

    slave.ask("mv -f /usr/bin/hostname.real /usr/bin/hostname");
    let mut live = bench.start(&["resume", &run]);
    live.run();
    until_point(&bench, &run, &mut live, Point::succeeded("hostnames"));
    until("an end of what never ended, after its limit", RUN_LIMIT, || {
        slave
            .run("pgrep -fx 'sleep infinity'")
            .out
            .is_empty()
            .then_some(())
    });
}
