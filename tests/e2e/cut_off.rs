//! A command of a driver that is dead, on a node that heard nothing of that: the connection it came by says nothing any more,
//! not even that it ended. Whoever takes the run over ends that command before a new one acts.
//!
//! `hostname` on the slave is a stand-in that keeps a list of its calls, and ends when the test lets it.

use std::process::Command;

use mesosflow_tests::{Bench, Node, Point, RUN_LIMIT, Watch, until};

const TOOL: &str = r#"mv /usr/bin/hostname /usr/bin/hostname.real
cat > /usr/bin/hostname <<'END'
#!/bin/sh
exec 8>> /root/naming
flock -n 8 || echo "two at once" >> /root/calls
echo "begin $$" >> /root/calls
until [ -e /root/go-on ]; do sleep 0.2; done
echo "end $$" >> /root/calls
exec hostname.real "$@"
END
chmod 755 /usr/bin/hostname"#;

/// The ports from which the node is logged in to.
const LOGINS: &str =
    "ss --no-header --tcp --numeric state established '( sport = :22 )' | awk '{ print $NF }'";

#[test]
fn the_command_of_a_dead_driver_is_ended_before_a_new_one_acts() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "1"]);
    let run = live.run();
    Watch::new(bench.journal(), &run, 0).point(&mut live, RUN_LIMIT, Point::started("render-config"));
    live.kill();
    let slave = bench.nodes(&run).of("slave")[0].clone();
    slave.ask(TOOL);

    let live = bench.start(&["resume", &run]);
    let old = begun(&slave, 1);
    let cut = cut_off(&bench, &slave);
    live.kill();
    assert_eq!(
        slave.run(&format!("kill -0 {old}")).code,
        0,
        "it ended with its driver"
    );

    // The node can be reached again, and the old connection is never heard of.
    let events = bench.history(&run).events().len() as u64;
    let mut live = bench.start(&["resume", &run]);
    let new = begun(&slave, 2);
    assert_ne!(
        slave.run(&format!("kill -0 {old}")).code,
        0,
        "the old command goes on"
    );
    assert_eq!(
        slave
            .ask(LOGINS)
            .lines()
            .filter(|from| cut.iter().any(|port| port == from))
            .count(),
        cut.len()
    );
    slave.ask("touch /root/go-on");
    let point = Point::succeeded("hostnames");
    Watch::new(bench.journal(), &run, events).point(&mut live, RUN_LIMIT, point);
    live.kill();
    let calls = slave.ask("cat /root/calls");
    let expected = [
        format!("begin {old}"),
        format!("begin {new}"),
        format!("end {new}"),
    ];
    assert_eq!(calls.lines().collect::<Vec<_>>(), expected);
}

/// The process of the call of that number, from 1, once it has begun.
#[track_caller]
fn begun(node: &Node, number: usize) -> String {
    until("a call of `hostname`", RUN_LIMIT, || {
        let calls = node.run("cat /root/calls").out;
        let mut begun = calls.lines().filter_map(|line| line.strip_prefix("begin "));
        begun.nth(number - 1).map(str::to_owned)
    })
}

/// Lets nothing through of the connections that there are, in either direction; where they come from.
fn cut_off(bench: &Bench, node: &Node) -> Vec<String> {
    let inspected = [
        "container",
        "inspect",
        "--format",
        "{{.State.Pid}}",
        &node.container,
    ];
    let pid = bench.engine().run(&inspected).ok();
    // The image has no iptables; its network can be entered from outside.
    let drop = |words: &[&str]| {
        let done = Command::new("nsenter")
            .args(["--target", &pid, "--net", "iptables", "--wait"])
            .args(words)
            .args(["--jump", "DROP"])
            .output();
        let done = done.unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    let logins = node.ask(LOGINS);
    let ports: Vec<_> = logins.lines().map(str::to_owned).collect();
    assert!(!ports.is_empty(), "nobody is logged in to {}", node.name);
    for from in &ports {
        let port = from.rsplit(':').next().unwrap();
        drop(&["-I", "INPUT", "-p", "tcp", "--dport", "22", "--sport", port]);
        drop(&["-I", "OUTPUT", "-p", "tcp", "--sport", "22", "--dport", port]);
    }
    ports
}
