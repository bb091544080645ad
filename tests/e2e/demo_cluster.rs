//! The demo cluster: `run` brings up three masters, three ZooKeepers and two slaves that work, seen by hand on the nodes;
//! the program's output keeps its contract; the nodes hold no key of the user's, and were logged in to once each; a
//! leading master that dies is replaced. Then all its machines are (see [`crate::replay`]), and it is destroyed.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use mesosflow_tests::{
    Bench, History, Node, Nodes, RUN_LIMIT, Status, assert_healthy, leader, until, until_up,
};
use serde_json::Value;

use crate::replay;

#[test]
fn the_demo_cluster_works_and_is_replayed_and_destroyed() {
    let mut bench = Bench::new();
    bench.no_config();
    let user_key = key_of_the_user(&bench);
    let cluster = bench.cluster();

    let mut live = bench.start(&["run", "--cluster", &cluster]);
    let run = live.run();
    let said = live.finish(RUN_LIMIT).ended(0);
    assert_eq!(said.run(), run);

    let status = bench.status(&run);
    keeps_the_contract(&status, &run, &cluster);
    let history = bench.history(&run);
    history.assert_well_formed();
    history.assert_nothing_done_twice();
    tells_of_every_step(&history, &status);
    listed(&mut bench, &run, &cluster);

    let nodes = bench.nodes(&run);
    assert_eq!(nodes.containers(), bench.engine().containers(&cluster));
    logged_in_once(&nodes);
    holds_no_key_of_the_user(&bench, &nodes, &run, &user_key);
    assert_healthy(&nodes);
    is_checked(&mut bench, &nodes);
    survives_its_leader(&mut bench, &nodes);

    replay::machines(&mut bench, &run, &cluster);

    destroyed(&mut bench, &run, &cluster);
}

/// `check` knows every server of the quorum, and every master's mind.
fn is_checked(bench: &mut Bench, nodes: &Nodes) {
    let patient = ["check", "--json", "--timeout", "900"];
    let bad_of = |looked: &Value, what: &str| -> Vec<Value> {
        let all = looked["findings"].as_array().unwrap().iter();
        let all = all.filter(|finding| finding["what"] == what && finding["ok"] == false);
        all.map(|finding| finding["node"].clone()).collect()
    };
    let looked = bench.say(&patient).ended(0).json();
    for (what, count) in [
        ("zookeeper", 3),
        ("zookeeper-quorum", 1),
        ("master", 3),
        ("leading-master", 1),
    ] {
        let all = looked["findings"].as_array().unwrap();
        assert_eq!(
            all.iter().filter(|finding| finding["what"] == what).count(),
            count,
            "{looked:#}"
        );
    }
    let server = nodes.of("zookeeper")[1];
    server.ask("systemctl stop mesosflow-zookeeper");
    // If it led, the others elect anew.
    let looked = until("a quorum without it", RUN_LIMIT, || {
        let looked = bench.say(&patient).ended(1).json();
        (bad_of(&looked, "zookeeper") == [server.name.as_str()]).then_some(looked)
    });
    assert_eq!(bad_of(&looked, "zookeeper-quorum").len(), 1, "{looked:#}");
    assert_eq!(bad_of(&looked, "daemons"), [server.name.as_str()], "{looked:#}");
    server.ask("systemctl start mesosflow-zookeeper");
    until_up(nodes);
    until("a healthy cluster", RUN_LIMIT, || {
        (bench.say(&patient).code == 0).then_some(())
    });
}

/// A key pair where a user has one, so that it would be found.
fn key_of_the_user(bench: &Bench) -> String {
    let path = bench
        .write(".ssh/config", "Host *\n")
        .with_file_name("id_ed25519");
    ssh_keygen(
        &["-q", "-t", "ed25519", "-N", "", "-C", "user-of-the-test", "-f"],
        &path,
    );
    std::fs::read_to_string(path.with_extension("pub")).unwrap()
}

fn ssh_keygen(args: &[&str], key: &Path) -> String {
    let output = Command::new("ssh-keygen").args(args).arg(key).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn keeps_the_contract(status: &Status, run: &str, cluster: &str) {
    status.all_done();
    let value = status.value();
    assert_eq!(value["run"], run);
    assert_eq!(value["cluster"], cluster);
    assert_eq!(value["provider"], "local");
    assert_eq!(value["generation"], 1);
    for key in ["started_at", "finished_at"] {
        assert!(value[key].as_str().unwrap().ends_with('Z'), "{key}");
    }
    for step in status.steps() {
        for key in ["id", "notes", "state"] {
            assert!(step[key].is_string(), "`{key}` is missing in {step:#}");
        }
        for key in ["generation", "attempts"] {
            assert!(step[key].is_u64(), "`{key}` is missing in {step:#}");
        }
        if step["state"] == "succeeded" {
            assert!(
                step["duration_ms"].is_u64() && step["attempts"].as_u64() >= Some(1),
                "{step:#}"
            );
        }
        for item in step["items"].as_array().unwrap() {
            assert_eq!(item["state"], "succeeded", "{step:#}");
            assert!(item["key"].is_string() && item["attempts"].is_u64(), "{step:#}");
        }
    }
    let items = |step: &str| status.step(step)["items"].as_array().unwrap().len();
    assert_eq!(
        (
            items("await-nodes"),
            items("launch-zookeepers"),
            items("nfs-mount")
        ),
        (8, 3, 2)
    );
    let mut roles: Vec<_> = status
        .nodes()
        .iter()
        .map(|node| node["role"].as_str().unwrap())
        .collect();
    roles.sort_unstable();
    assert_eq!(roles[..3], ["master"; 3]);
    assert_eq!(roles[3..5], ["slave"; 2]);
    assert_eq!(roles[5..], ["zookeeper"; 3]);
    let ips: BTreeSet<_> = status
        .nodes()
        .iter()
        .map(|node| node["private_ip"].as_str().unwrap())
        .collect();
    assert_eq!(ips.len(), 8, "{ips:?}");
}

fn tells_of_every_step(history: &History, status: &Status) {
    for step in status.steps() {
        let id = step["id"].as_str().unwrap();
        assert!(history.has_outcome(1, id), "no outcome of {id} in the events");
    }
    let created = history.of("resource_created", 1).count();
    assert_eq!(created, 9, "eight nodes and a network");
    assert_eq!(history.events().last().unwrap()["kind"], "run_succeeded");
}

fn listed(bench: &mut Bench, run: &str, cluster: &str) {
    let list = bench.say(&["list", "--json"]).ended(0).json();
    let [row] = list.as_array().unwrap().as_slice() else {
        panic!("not one run: {list}")
    };
    assert_eq!(
        (&row["run"], &row["cluster"]),
        (&Value::from(run), &Value::from(cluster))
    );
    assert_eq!(row["state"], "succeeded");
}

/// The controller has the first address of the cluster's network, which no node has.
fn logged_in_once(nodes: &Nodes) {
    let (network, _) = nodes.hub().ip.rsplit_once('.').unwrap();
    let script =
        format!("journalctl --no-pager -o cat | grep -cF 'Accepted publickey for root from {network}.1 '");
    for node in nodes.all() {
        assert_eq!(
            node.ask(&script),
            "1",
            "logins of the controller on {}",
            node.name
        );
    }
}

fn holds_no_key_of_the_user(bench: &Bench, nodes: &Nodes, run: &str, user_key: &str) {
    let body = user_key.split_whitespace().nth(1).unwrap();
    let private = std::fs::read_to_string(bench.path(".ssh/id_ed25519")).unwrap();
    let secret = private.lines().nth(2).unwrap();
    let cluster_key = ssh_keygen(&["-y", "-f"], &bench.cluster_dir(run).join("cluster_ed25519"));
    let cluster_key: Vec<_> = cluster_key
        .split_whitespace()
        .take(2)
        .map(str::to_owned)
        .collect();
    for node in nodes.all() {
        let authorized = node.ask("cat /root/.ssh/authorized_keys");
        let (drivers, nodes_own): (Vec<_>, Vec<_>) = authorized
            .lines()
            .partition(|line| line.starts_with(&cluster_key.join(" ")));
        assert_eq!(drivers.len(), 1, "{authorized}");
        let expected = if node.name == nodes.hub().name { 2 } else { 1 };
        assert_eq!(nodes_own.len(), expected, "{authorized}");
        assert!(
            nodes_own
                .iter()
                .all(|line| line.contains("from=\"") && line.ends_with(run)),
            "a key that is neither the driver's nor the nodes' of this run: {authorized}"
        );
        let found = node.run(&format!(
            "grep -rIlF -e '{body}' -e '{secret}' /root /home /etc /tmp /var/lib/mesosflow"
        ));
        assert_eq!(found.out, "", "a key of the user's on {}", node.name);
        let private = node
            .ask("grep -rIl 'PRIVATE KEY' /root /home /etc/ssh /tmp | grep -v /etc/ssh/ssh_host_ || true");
        let mut private: Vec<_> = private.lines().collect();
        private.sort_unstable();
        let all = [
            "/root/.ssh/mesosflow-roles/slave/id_ed25519",
            "/root/.ssh/mesosflow-roles/zookeeper/id_ed25519",
            "/root/.ssh/mesosflow/id_ed25519",
        ];
        let expected = if node.role == "master" {
            &all[..]
        } else {
            &all[2..]
        };
        assert_eq!(private, expected, "private keys on {}", node.name);
        let mode = node.ask("stat -c %a /root/.ssh/mesosflow/id_ed25519");
        assert_eq!(mode, "600", "on {}", node.name);
    }
}

/// systemd starts the killed master again at once, but its session is lost: another one leads.
fn survives_its_leader(bench: &mut Bench, nodes: &Nodes) {
    let first: Node = leader(nodes, |_| true).clone();
    assert_eq!(bench.say(&["get-master"]).ended(0).out.trim_end(), first.ip);
    first.ask("pkill -KILL -x mesos-master");
    let second = leader(nodes, |node| node.ip != first.ip);
    assert_ne!(second.ip, first.ip);
    assert_eq!(bench.say(&["get-master"]).ended(0).out.trim_end(), second.ip);
    // One server less is a quorum still, and the first that is asked does not answer; two less are none.
    let (one, two) = (nodes.of("zookeeper")[0], nodes.of("zookeeper")[1]);
    one.ask("systemctl stop mesosflow-zookeeper");
    assert_eq!(bench.say(&["get-master"]).ended(0).out.trim_end(), second.ip);
    two.ask("systemctl stop mesosflow-zookeeper");
    bench
        .say(&["get-master"])
        .ended(1)
        .complains(&["can be asked", &one.name, "no quorum"]);
    for server in [one, two] {
        server.ask("systemctl start mesosflow-zookeeper");
    }
    let again = leader(nodes, |_| true);
    until("a quorum", RUN_LIMIT, || {
        (bench.say(&["get-master"]).out.trim_end() == again.ip).then_some(())
    });
}

fn destroyed(bench: &mut Bench, run: &str, cluster: &str) {
    let containers = bench.engine().containers(cluster);
    let volumes = bench.engine().volumes(&containers);
    assert!(!volumes.is_empty(), "no node has a volume");
    bench.say(&["destroy", run]).ended(3).complains(&["--yes"]);
    assert_eq!(
        bench.engine().containers(cluster),
        containers,
        "refused, and yet something was deleted"
    );

    bench.say(&["destroy", run, "--yes"]).ended(0);
    assert_eq!(bench.engine().containers(cluster), Vec::<String>::new());
    assert_eq!(bench.engine().networks(cluster), Vec::<String>::new());
    let left: Vec<_> = volumes
        .iter()
        .filter(|volume| bench.engine().has_volume(volume))
        .collect();
    assert!(left.is_empty(), "volumes are left: {left:?}");
    assert_eq!(bench.status(run).nodes(), Vec::<Value>::new().as_slice());

    bench.say(&["destroy", run, "--yes"]).ended(0);
    bench.say(&["resume", run]).ended(3).complains(&["was destroyed"]);
}
