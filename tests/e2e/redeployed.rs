//! Another Mesos is rolled out over a cluster that works: killed on the way and gone on with, and another time taken back. A client finds
//! a leader all the while but for elections, tasks live on, and no data is lost.

use std::path::PathBuf;
use std::process::Command;

use mesosflow_tests::{Bench, Nodes, Point, RUN_LIMIT, Reached, Seen, Watch, leader, until};
use serde_json::Value;

use crate::changed::ended;
use crate::configured;
use crate::stopped::{read, write};

/// A version that the stand-in has not by itself.
pub(crate) const SECOND: &str = "1.12.0-standin";
pub(crate) const THIRD: &str = "1.13.0-standin";
/// What is done to the tree of a version that works, and of one whose agent says nothing but its version.
pub(crate) const SOUND: &str = "true";
pub(crate) const SILENT: &str = r##"mv sbin/mesos-agent sbin/agent && printf '#!/bin/sh\ncase "$*" in *--version*) exec "${0%%/*}/agent" --version ;; esac\nexec sleep infinity\n' > sbin/mesos-agent && chmod 755 sbin/mesos-agent"##;

#[test]
fn another_mesos_is_rolled_out_while_the_cluster_works() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let (second, third) = (tarball(&bench, SECOND, SOUND), tarball(&bench, THIRD, SILENT));
    let (second, third) = (second.to_str().unwrap(), third.to_str().unwrap());
    let deploy = bench
        .start(&["run", "--cluster", &cluster, "--masters", "2", "--slaves", "2"])
        .finish(RUN_LIMIT)
        .ended(0)
        .run();
    let nodes = bench.nodes(&deploy);
    let first = versions(&nodes)[0].clone();
    write(&nodes, "before");
    let tasks = Tasks::launch(&nodes);

    refused(&mut bench, &deploy);
    planned(&mut bench, &nodes, second);

    let client = Client::start(&nodes);
    let led = leader(&nodes, |_| true).name.clone();
    let redeploy = ["redeploy", "--mesos-url", second, "--yes"];
    let run = interrupted(&mut bench, &redeploy);
    // Nobody else gets the cluster meanwhile.
    bench
        .say(&["add-slaves", "1"])
        .ended(3)
        .complains(&[&run, "resume"]);
    bench.start(&["resume", &run]).finish(RUN_LIMIT).ended(0);
    ended(&bench, &run);
    in_turn(&bench, &run, "roll-masters", &nodes, Some(&led));
    in_turn(&bench, &run, "roll-agents", &nodes, None);
    client.has_found_a_leader_again();
    is_whole(&mut bench, &nodes, SECOND);
    let view = bench.say(&["clusters", "--json"]).ended(0).json();
    let version = view[0]["mesos_version"].as_str().unwrap();
    assert!(version.contains(SECOND), "{version}");
    tasks.live();
    read(&nodes, "before");

    // Twice is once.
    bench.say(&redeploy).ended(0);
    let runs = |bench: &mut Bench| bench.say(&["list", "--json"]).json().as_array().unwrap().len();
    assert_eq!(runs(&mut bench), 2);
    // Its own steps, as long as nobody else has driven the cluster.
    bench
        .say(&["replay", &run, "--from", "roll-masters", "--to", "roll-agents"])
        .ended(0);
    is_whole(&mut bench, &nodes, SECOND);
    // What made the cluster acts with the Mesos that it has now.
    bench
        .start(&["replay", "--from", "redeploy-mesos", "--to", "mesos-roles"])
        .finish(RUN_LIMIT)
        .ended(0);
    is_whole(&mut bench, &nodes, SECOND);
    bench.start(&["resume", &deploy]).finish(RUN_LIMIT).ended(0);
    bench
        .say(&["replay", &run, "--from", "roll-masters"])
        .ended(3)
        .complains(&[&run, &deploy, "was driven since", "mesosflow redeploy"]);

    // What was begun is taken back, wherever each node is: an agent is silent, which no master can mend.
    let redeploy = ["redeploy", "--mesos-url", third, "--yes"];
    let run = silenced(&mut bench, &nodes, &redeploy);
    let back = cut_off(
        &mut bench,
        &["rollback", "--yes"],
        Point::item_succeeded("roll-masters"),
    );
    assert_eq!(bench.status(&run).state(), "closed");
    bench.start(&["resume", &back]).finish(RUN_LIMIT).ended(0);
    ended(&bench, &back);
    client.has_found_a_leader_again();
    is_whole(&mut bench, &nodes, SECOND);
    tasks.live();
    read(&nodes, "before");
    configured::a_changed_file_is_rolled_out(&mut bench, &nodes, &tasks);
    assert_ne!(first, SECOND);
    configured::a_node_dies_on_the_way(&mut bench, &deploy);
    one_that_begins_anew_dies_before_its_turn(&mut bench, &deploy, &first);
}

/// An agent that would have begun anew, and was drained for that, is passed over with its machine: the roll ends without it, and gives it its
/// turn, and tasks, once that runs.
fn one_that_begins_anew_dies_before_its_turn(bench: &mut Bench, deploy: &str, version: &str) {
    let nodes = bench.nodes(deploy);
    let slaves = nodes.of("slave");
    let (dying, other) = (slaves[1], slaves[0]);
    dying.ask("echo rack:r3 > /etc/mesos-slave/attributes");
    let url = bench.mesos().display().to_string();
    let mut live = bench.start(&["redeploy", "--mesos-url", &url, "--yes"]);
    let run = live.run();
    Watch::new(bench.journal(), &run, 0).point(&mut live, RUN_LIMIT, Point::started("roll-agents"));
    bench.engine().run(&["kill", &dying.container]).ok();
    live.finish(RUN_LIMIT).ended(0);
    assert_eq!(bench.status(&run).state(), "partial");
    let state = other.ask("cat /root/mesos/sbin/standin-version 2>/dev/null || echo none");
    assert_ne!(state, SECOND, "{} was not rolled", other.name);
    bench.engine().run(&["start", &dying.container]).ok();
    bench.start(&["resume", &run]).finish(RUN_LIMIT).ended(0);
    ended(bench, &run);
    is_whole(bench, &bench.nodes(deploy), version);
}

/// The stand-in as another version of itself, to which something was done.
pub(crate) fn tarball(bench: &Bench, version: &str, done: &str) -> PathBuf {
    let path = bench.path(&format!("mesos-{version}.tar.gz"));
    let script = r#"work=$(mktemp -d) && tar -xzf "$1" -C "$work" && echo "$2" > "$work/sbin/standin-version" && (cd "$work" && eval "$4") &&
        tar -czf "$3" -C "$work" . && rm -rf "$work""#;
    let made = Command::new("sh")
        .args(["-ec", script, "sh"])
        .arg(bench.mesos())
        .arg(version)
        .arg(&path)
        .arg(done)
        .status();
    assert!(made.unwrap().success());
    path
}

fn of_mesos(nodes: &Nodes) -> Vec<&mesosflow_tests::Node> {
    let masters = nodes.of("master").into_iter();
    masters.chain(nodes.of("slave")).collect()
}

/// What each daemon of Mesos says that it is, masters first.
fn versions(nodes: &Nodes) -> Vec<String> {
    let says = |node: &mesosflow_tests::Node| {
        let port = if node.role == "master" { 5050 } else { 5051 };
        let answer = node.ask(&format!("curl -fsS http://{}:{port}/version", node.ip));
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer["version"].as_str().unwrap().to_owned()
    };
    of_mesos(nodes).into_iter().map(says).collect()
}

/// Every daemon of the four nodes is of that version, nothing is left beside it, and the cluster does its work.
#[track_caller]
fn is_whole(bench: &mut Bench, nodes: &Nodes, version: &str) {
    all_run(bench, nodes, version, 4);
}

/// The same of a cluster that has so many masters and slaves.
#[track_caller]
pub(crate) fn all_run(bench: &mut Bench, nodes: &Nodes, version: &str, count: usize) {
    leader(nodes, |_| true);
    assert_eq!(versions(nodes), vec![version; count]);
    for node in of_mesos(nodes) {
        let left = node.ask("ls -A /root | grep mesosflow-mesos || true");
        assert_eq!(left, "", "{}", node.name);
    }
    let check = bench.check();
    assert_eq!(check["healthy"], true, "{check}");
}

/// Begins a run and kills it at that point; its run.
pub(crate) fn cut_off(bench: &mut Bench, args: &[&str], point: Point) -> String {
    let mut live = bench.start(args);
    let run = live.run();
    let due = |seen: &Seen| seen.is(point);
    let reached = Watch::new(bench.journal(), &run, 0).until(&mut live, RUN_LIMIT, due);
    assert!(
        matches!(reached, Reached::Point(_)),
        "{point:?} was never reached"
    );
    live.kill();
    run
}

/// Begins a run and asks it to stop in the middle of a master: it ends behind that one, and names both ways from there. Its run.
fn interrupted(bench: &mut Bench, args: &[&str]) -> String {
    let mut live = bench.start(args);
    let run = live.run();
    let begun = Point::item_started("roll-masters");
    Watch::new(bench.journal(), &run, 0).point(&mut live, RUN_LIMIT, begun);
    live.interrupt();
    let (resume, rollback) = (format!("resume {run}"), format!("rollback {run}"));
    let said = live.finish(RUN_LIMIT).ended(130);
    said.complains(&[&resume, &rollback]);
    let status = bench.status(&run);
    let masters = status
        .steps()
        .iter()
        .find(|step| step["id"] == "roll-masters")
        .unwrap();
    let items = masters["items"].as_array().unwrap();
    let is = |state: &str| items.iter().filter(|item| item["state"] == state).count();
    assert_eq!(
        (is("succeeded"), is("running"), is("failed")),
        (1, 0, 0),
        "{masters}"
    );
    run
}

/// Begins a run and kills it once an agent has a Mesos that says nothing; its run.
pub(crate) fn silenced(bench: &mut Bench, nodes: &Nodes, args: &[&str]) -> String {
    let mut live = bench.start(args);
    let run = live.run();
    let slaves = nodes.of("slave");
    let silent = "pgrep -fx 'sleep infinity' && cat /root/mesos/sbin/standin-version";
    until("an agent that is silent", RUN_LIMIT, || {
        slaves
            .iter()
            .any(|slave| slave.run(silent).out.contains(THIRD))
            .then_some(())
    });
    live.kill();
    run
}

/// One node after another was begun, each once the one before it had succeeded; that which led is the last.
pub(crate) fn in_turn(bench: &Bench, run: &str, step: &str, nodes: &Nodes, last: Option<&str>) {
    let history = bench.history(run);
    let (mut open, mut done) = (None, Vec::new());
    for event in history.events() {
        let Some(item) = event["item"].as_str().filter(|_| event["step"] == step) else {
            continue;
        };
        match event["kind"].as_str().unwrap() {
            "step_started" => {
                assert!(open.is_none_or(|open| open == item), "{item} beside {open:?}");
                open = Some(item);
            }
            "step_succeeded" => {
                assert_eq!(open.take(), Some(item));
                done.push(item.to_owned());
            }
            _ => {}
        }
    }
    let role = if step.ends_with("-masters") {
        "master"
    } else {
        "slave"
    };
    assert_eq!(done.len(), nodes.of(role).len(), "{done:?}");
    if let Some(last) = last {
        assert_eq!(done.last().map(String::as_str), Some(last));
    }
}

/// What cannot be is refused before anything is touched.
fn refused(bench: &mut Bench, deploy: &str) {
    bench.say(&["redeploy", "--yes"]).ended(0);
    bench
        .say(&["redeploy", "--mesos-url", "/no/such.tar.gz", "--yes"])
        .ended(2)
        .complains(&["mesos.url", "/no/such.tar.gz"]);
    bench
        .say(&["redeploy", "--mesos-source", "none", "--yes"])
        .ended(2)
        .complains(&["image", "--mesos-url"]);
    let list = bench.say(&["list", "--json"]).ended(0).json();
    assert_eq!(list.as_array().unwrap().len(), 1, "a run was begun: {list}");
    assert_eq!(list[0]["run"], deploy);
}

/// A plan names whose tasks would end, and begins no run.
fn planned(bench: &mut Bench, nodes: &Nodes, url: &str) {
    let slave = nodes.of("slave")[1];
    let args = ["plan", "redeploy", "--mesos-url", url, "--json"];
    let actions = |plan: &Value| {
        let machines = plan["machines"].as_array().unwrap().iter();
        machines
            .map(|machine| machine["action"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let plan = bench.say(&args).ended(0).json();
    assert_eq!(plan["workflow"], "redeploy");
    assert_eq!(plan["steps"][0]["id"], "stage-mesos", "{plan}");
    assert_eq!(actions(&plan), ["roll"; 4]);
    slave.ask("cp -a /etc/mesos-slave /tmp/flags && echo rack:r2 > /etc/mesos-slave/attributes");
    let plan = bench.say(&args).ended(0).json();
    assert_eq!(actions(&plan), ["roll", "roll", "roll", "roll anew"]);
    assert!(plan["warnings"].to_string().contains(&slave.name), "{plan}");
    assert!(plan["steps"].to_string().contains("drain-agents"), "{plan}");
    slave.ask("rm -rf /etc/mesos-slave && mv /tmp/flags /etc/mesos-slave");
    let unasked = bench.say(&args[1..4]).ended(3);
    unasked.complains(&["--yes", "leader last"]);
}

/// A task on each agent, of the stand-in's own framework.
pub(crate) struct Tasks<'n> {
    nodes: &'n Nodes,
    pids: Vec<String>,
}

/// Names a process of the scenario's own.
const TASK: &str = "sleep 86399";

impl<'n> Tasks<'n> {
    fn launch(nodes: &'n Nodes) -> Self {
        for slave in nodes.of("slave") {
            slave.ask(&format!(
                r#"curl -fsS -X POST -H 'Content-Type: application/json' -d '{{"name":"long","command":"exec {TASK}"}}' http://{}:5051/standin/launch"#,
                slave.ip
            ));
        }
        let mut tasks = Self {
            nodes,
            pids: Vec::new(),
        };
        tasks.pids = tasks.now();
        tasks
    }

    fn now(&self) -> Vec<String> {
        let slaves = self.nodes.of("slave").into_iter();
        slaves
            .map(|slave| slave.ask(&format!("pgrep -fx '{TASK}'")))
            .collect()
    }

    /// They are the same processes, and their agents know them.
    #[track_caller]
    pub(crate) fn live(&self) {
        assert_eq!(self.now(), self.pids, "a task was ended");
        let hub = self.nodes.hub();
        let summary = hub.ask(&format!("curl -fsSL http://{}:5050/state-summary", hub.ip));
        let summary: Value = serde_json::from_str(&summary).unwrap();
        let known = summary["slaves"].as_array().unwrap().iter();
        let known = known.filter(|slave| slave["TASK_RUNNING"] == 1).count();
        assert_eq!(
            known,
            self.nodes.of("slave").len(),
            "an agent has lost its task: {summary}"
        );
    }
}

/// Who asks `/state` once a second, on the first ZooKeeper's node, which nothing is done to.
struct Client<'n>(&'n mesosflow_tests::Node);

impl<'n> Client<'n> {
    fn start(nodes: &'n Nodes) -> Self {
        let masters: Vec<_> = nodes.of("master").iter().map(|node| node.ip.clone()).collect();
        let node = nodes.of("zookeeper")[0];
        let script = format!(
            "while :; do found=no; for ip in {}; do if curl -fsSL --max-time 3 http://$ip:5050/state 2>/dev/null | grep -q '\"leader\":\"master@'; \
             then found=yes; break; fi; done; echo $found >> /tmp/found; sleep 1; done",
            masters.join(" ")
        );
        let quoted = script.replace('\'', r"'\''");
        node.ask(&format!("systemd-run --quiet --unit client sh -c '{quoted}'"));
        Self(node)
    }

    /// However long that was.
    #[track_caller]
    fn has_found_a_leader_again(&self) {
        let found = self.0.ask("cat /tmp/found");
        assert!(found.lines().filter(|line| *line == "yes").count() > 1, "{found}");
        mesosflow_tests::until("a client that finds a leader", RUN_LIMIT, || {
            (self.0.ask("tail -n 1 /tmp/found") == "yes").then_some(())
        });
    }
}
