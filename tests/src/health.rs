//! Whether a cluster does its work, found out by hand on its nodes.

use std::time::Duration;

use serde_json::Value;

use crate::hdfs::Hdfs;
use crate::nodes::{Node, Nodes};
use crate::wait::until;

/// An election takes a session's end (10 s), agents back off for up to a minute before they register again; on a busy machine
/// everything takes several times as long. Nothing is measured by it.
const LIMIT: Duration = Duration::from_secs(300);

/// The address of the leading master, as the master on `asked` or the one that it points to says, and the names of its active slaves.
pub fn leader_and_slaves(asked: &Node) -> Option<(String, Vec<String>)> {
    let answer = asked.run(&format!("curl -fsSL --max-time 5 http://{}:5050/state", asked.ip));
    let state: Value = serde_json::from_str(&answer.out).ok()?;
    let leader = state["leader"]
        .as_str()?
        .strip_prefix("master@")?
        .strip_suffix(":5050")?
        .to_owned();
    let active = state["slaves"]
        .as_array()?
        .iter()
        .filter(|slave| slave["active"] == true);
    let mut slaves: Vec<_> = active
        .filter_map(|slave| Some(slave["hostname"].as_str()?.to_owned()))
        .collect();
    slaves.sort();
    (state["activated_slaves"] == slaves.len()).then_some((leader, slaves))
}

/// The master that leads, once it sees every slave and `is_it` agrees.
///
/// # Panics
/// There is no such master within five minutes.
#[track_caller]
pub fn leader(nodes: &Nodes, is_it: impl Fn(&Node) -> bool) -> &Node {
    let mut expected: Vec<_> = nodes.of("slave").iter().map(|slave| slave.name.clone()).collect();
    expected.sort();
    until("a leading master that sees every slave", LIMIT, || {
        nodes.of("master").into_iter().find_map(|asked| {
            let (leader, slaves) = leader_and_slaves(asked)?;
            let node = nodes.of("master").into_iter().find(|node| node.ip == leader)?;
            (slaves == expected && is_it(node)).then_some(node)
        })
    })
}

/// Asserts by hand that the whole cluster works: ZooKeeper's quorum, both HDFS, Mesos, the shared volume.
///
/// # Panics
/// Something does not.
#[track_caller]
pub fn assert_healthy(nodes: &Nodes) {
    until_up(nodes);
    for hdfs in Hdfs::BOTH {
        round_trip(hdfs, nodes);
        hdfs.assert_datanodes_have(nodes, &hdfs.file_system(nodes));
    }
    shared_volume(nodes);
}

/// Waits until the daemons say that they do their work: a quorum, both HDFS, a leader that sees every slave. It starts no program of
/// Java, for who would otherwise ask again and again for something that does.
///
/// # Panics
/// They do not.
#[track_caller]
pub fn until_up(nodes: &Nodes) {
    zookeeper(nodes);
    for hdfs in Hdfs::BOTH {
        hdfs.until_it_serves(nodes, LIMIT);
    }
    leader(nodes, |_| true);
}

#[track_caller]
fn zookeeper(nodes: &Nodes) {
    let servers = nodes.of("zookeeper");
    let mode = |server: &&Node| {
        // bash's own network files: no client is needed on the node.
        let script = r#". /etc/mesosflow/node.env && bash -c 'exec 3<>/dev/tcp/$0/2181 && echo srvr >&3 && timeout 5 cat <&3' "$NODE_IP""#;
        let answer = server.run(script).out;
        answer
            .lines()
            .find_map(|line| line.strip_prefix("Mode: "))
            .unwrap_or_default()
            .to_owned()
    };
    let expected: &[&str] = match servers.len() {
        0 => &[],
        _ => &["follower", "follower", "leader"],
    };
    // One that got no time for its heartbeats is on its way back into the quorum.
    until("a leader and its followers among the ZooKeepers", LIMIT, || {
        let mut modes: Vec<_> = servers.iter().map(mode).collect();
        modes.sort();
        (modes == expected).then_some(())
    });
}

/// Puts a file on the first master and reads it on the last slave.
#[track_caller]
fn round_trip(hdfs: Hdfs, nodes: &Nodes) {
    let (writer, slaves) = (nodes.hub(), nodes.of("slave"));
    let text = format!("{} of {}", hdfs.word(), writer.container);
    let put = hdfs.command("dfs -put -f - /by-hand");
    writer.ask(&format!("echo '{text}' | {put}"));
    if let Some(slave) = slaves.last() {
        assert_eq!(slave.ask(&hdfs.command("dfs -cat /by-hand")), text);
    }
}

#[track_caller]
fn shared_volume(nodes: &Nodes) {
    let text = format!("shared by {}", nodes.hub().container);
    nodes.hub().ask(&format!("echo '{text}' > /mnt/nfs/by-hand"));
    for slave in nodes.of("slave") {
        // The mount may keep what it knows of a folder for some seconds.
        until(&format!("/mnt/nfs/by-hand on {}", slave.name), LIMIT, || {
            let read = slave.run("timeout 10 cat /mnt/nfs/by-hand");
            (read.code == 0 && read.out.trim() == text).then_some(())
        });
    }
}
