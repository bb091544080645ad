//! Whether a cluster does its work now, as `check` says: healthy; with one thing broken after the other, each named with its node; with a
//! node that hangs; with tasks, by what Mesos says of them; beside a run, and cut off. Nothing of it stays, and no history tells of it.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use mesosflow_tests::{Bench, Hdfs, Node, Nodes, RUN_LIMIT, Said, leader, until, until_up};
use serde_json::{Value, json};

/// What is over at once, on a machine on which everything takes ten times as long.
const LIMIT: Duration = Duration::from_secs(300);
/// The same for a look: programs of Java are started in it.
const PATIENT: [&str; 3] = ["check", "--timeout", "240"];

/// Jobs go to a master of Spark's own that has no workers: as little is offered there as on a busy Mesos.
const NOBODY_OFFERS: &str = "conf=/root/spark/conf/spark-defaults.conf && cp $conf /root/kept-defaults &&
    sed -i 's|^spark[.]master .*|spark.master spark://127.0.0.1:7077|' $conf && grep --quiet ':7077$' $conf &&
    systemd-run --quiet --unit nobody-offers java -cp '/root/spark/jars/*' org.apache.spark.deploy.master.Master --host 127.0.0.1 --port 7077";
const SOMEBODY_OFFERS: &str =
    "systemctl stop nobody-offers && mv /root/kept-defaults /root/spark/conf/spark-defaults.conf";

struct Stage {
    bench: Bench,
    cluster: String,
    run: String,
    nodes: Nodes,
}

impl Stage {
    fn node(&self, name: &str) -> Node {
        self.nodes.named(&format!("{}-{name}", self.cluster)).clone()
    }

    fn check(&mut self, more: &[&str]) -> Said {
        self.bench.say(&[&PATIENT, more].concat())
    }

    fn look(&mut self, exit: i32) -> Value {
        let looked = self.check(&["--json"]).ended(exit).json();
        assert_eq!(looked["healthy"], exit == 0, "{looked:#}");
        looked
    }

    #[track_caller]
    fn until_healthy(&mut self) {
        until_up(&self.nodes);
        until("a healthy cluster", RUN_LIMIT, || {
            (self.check(&[]).code == 0).then_some(())
        });
    }

    /// What a look that was cut off has left, however it was: nothing, after a while.
    #[track_caller]
    fn until_nothing_is_left(&self) {
        let hub = self.nodes.hub();
        until("an end of the janitor", LIMIT, || {
            let left =
                hub.ask("ls -d /run/mesosflow/check.* /mnt/nfs/.mesosflow-check.* 2>/dev/null || true");
            left.is_empty().then_some(())
        });
        for hdfs in Hdfs::BOTH {
            let files = hub.ask(&hdfs.command("dfs -ls /"));
            assert!(!files.contains("mesosflow-check"), "{files}");
        }
    }
}

/// The findings of that kind: by node, or all of them.
fn of<'l>(looked: &'l Value, what: &str) -> Vec<&'l Value> {
    let all = looked["findings"].as_array().unwrap().iter();
    all.filter(|finding| finding["what"] == what).collect()
}

/// Asserts that a finding is bad for that node, and good for all others.
#[track_caller]
fn assert_bad(looked: &Value, what: &str, node: &Node, says: &str) {
    for finding in of(looked, what) {
        let is_it = finding["node"] == node.name;
        assert_eq!(finding["ok"], !is_it, "{looked:#}");
        assert!(
            !is_it || finding["detail"].as_str().unwrap().contains(says),
            "{finding}"
        );
    }
    assert!(
        of(looked, what)
            .iter()
            .any(|finding| finding["node"] == node.name),
        "{what}: {looked:#}"
    );
}

#[test]
fn a_cluster_is_checked() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let said = bench.say(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "2"]);
    let run = said.ended(0).run();
    let nodes = bench.nodes(&run);
    let events = bench.history(&run).events().len();
    let mut stage = Stage {
        bench,
        cluster,
        run,
        nodes,
    };
    healthy(&mut stage);
    // It takes a while until the namenode misses a datanode, and others are asked about meanwhile.
    stage
        .node("slave-2")
        .ask("systemctl stop ephemeral-hdfs-datanode");
    an_agent_hangs(&mut stage);
    a_node_hangs(&mut stage);
    broken(&mut stage);
    cut_off(&mut stage);
    tasks(&mut stage);
    watched(&mut stage);
    assert_eq!(
        stage.bench.history(&stage.run).events().len(),
        events,
        "a history tells of it"
    );
    beside_runs(&mut stage);
    destroyed(&mut stage);
}

fn healthy(stage: &mut Stage) {
    assert_eq!(
        stage.bench.say(&["clusters", "--json"]).ended(0).json()[0]["health"],
        Value::Null
    );
    let looked = stage.look(0);
    for finding in looked["findings"].as_array().unwrap() {
        assert_eq!(finding["ok"], true, "{finding}");
        let keys: Vec<_> = finding.as_object().unwrap().keys().collect();
        assert!(
            keys.iter()
                .all(|key| ["what", "node", "ok", "detail"].contains(&key.as_str())),
            "{finding}"
        );
    }
    let counts = [
        ("ssh", 3),
        ("daemons", 3),
        ("leading-master", 1),
        ("master", 1),
        ("agent", 2),
        ("ephemeral-hdfs-namenode", 1),
        ("persistent-hdfs-blocks", 1),
        ("ephemeral-hdfs-datanode", 2),
        ("persistent-hdfs-datanode", 2),
        ("ephemeral-hdfs-file", 1),
        ("persistent-hdfs-file", 1),
        ("shared-volume", 2),
        ("task", 1),
        ("spark", 1),
        ("spark-job", 0),
        // Nothing is claimed of what is not there.
        ("zookeeper", 0),
        ("zookeeper-quorum", 0),
        ("persistent-hdfs-checkpoint", 0),
        ("run", 0),
    ];
    for (what, count) in counts {
        assert_eq!(of(&looked, what).len(), count, "{what}: {looked:#}");
    }
    let task = of(&looked, "task")[0]["detail"].as_str().unwrap();
    assert!(
        task.starts_with("no task was run") && task.contains("mesos-execute"),
        "{task}"
    );

    // Whether jobs of Spark run on Mesos is seen in the library; that they do not is nobody's fault.
    let spark = |looked: &Value| of(looked, "spark")[0]["detail"].as_str().unwrap().to_owned();
    assert!(spark(&looked).contains("runs locally only"), "{looked:#}");
    let hub = stage.node("master-1");
    let library = "/root/mesos/lib/libmesos.so";
    hub.ask(&format!(
        "mkdir -p /root/mesos/lib && [ ! -e {library} ] && echo Java_org_apache_mesos_MesosSchedulerDriver_initialize > {library}"
    ));
    assert_eq!(spark(&stage.look(0)), "jobs can run on Mesos");
    // Whoever looks deep tries that: this library has but the name in it.
    let job = |stage: &mut Stage, code| {
        let looked = stage.bench.say(&["check", "--deep", "--json"]).ended(code).json();
        let job = of(&looked, "spark-job");
        assert_eq!(job.len(), 1, "{looked:#}");
        job[0]["detail"].as_str().unwrap().to_owned()
    };
    let failed = job(stage, 1);
    assert!(failed.contains("UnsatisfiedLinkError"), "{failed}");
    hub.ask(NOBODY_OFFERS);
    until("a Spark without workers", LIMIT, || {
        hub.run("ss --no-header --listening --tcp | grep --quiet :7077")
            .ok_if()
    });
    let busy = job(stage, 0);
    assert!(busy.contains("no offer with enough for an executor"), "{busy}");
    hub.ask(SOMEBODY_OFFERS);
    hub.ask(&format!("rm {library}"));
    let ran = job(stage, 0);
    assert!(
        ran.contains("master-1 alone") && ran.contains("both HDFS"),
        "{ran}"
    );
    until("nothing of the job", LIMIT, || {
        let left = Hdfs::BOTH.map(|hdfs| hub.run(&hdfs.command("dfs -ls / | grep mesosflow-check")).code);
        let marks = hub.run("ls /run/mesosflow | grep '^check[.]'").code;
        (left == [1, 1] && marks == 1).then_some(())
    });
    stage.bench.say(&["check", "--deep", "--watch"]).ended(2);

    // Two at once do not disturb each other.
    let (one, other) = (stage.bench.start(&PATIENT), stage.bench.start(&PATIENT));
    for live in [one, other] {
        let said = live.finish(LIMIT).ended(0);
        assert_eq!(
            said.out.lines().count(),
            looked["findings"].as_array().unwrap().len(),
            "{}",
            said.out
        );
        assert!(
            said.out.lines().all(|line| line.starts_with("ok ")),
            "{}",
            said.out
        );
        assert!(said.err.contains("is healthy"), "{}", said.err);
    }
    stage.until_nothing_is_left();

    let health = &stage.bench.say(&["clusters", "--json"]).ended(0).json()[0]["health"];
    assert_eq!(health["healthy"], true, "{health}");
    assert!(
        health["since"].as_str() < health["checked_at"].as_str(),
        "{health}"
    );
    stage.bench.say(&["clusters"]).ended(0).tells(&["healthy since"]);
    let kept = stage.bench.cluster_dir(&stage.run).join("check.json");
    assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let kept: Value = serde_json::from_slice(&std::fs::read(kept).unwrap()).unwrap();
    assert_eq!(
        (&kept["cluster"], &kept["healthy"]),
        (&json!(stage.cluster), &json!(true))
    );
}

/// Several things at once, and each of them by itself is named with its node.
fn broken(stage: &mut Stage) {
    let (one, two) = (stage.node("slave-1"), stage.node("slave-2"));
    one.ask("systemctl stop mesos-slave");
    two.ask("systemctl stop mnt-nfs.automount mnt-nfs.mount 2>/dev/null || umount -l /mnt/nfs; ! mountpoint -q /mnt/nfs");
    let looked = until("a namenode that misses the datanode", LIMIT, || {
        let looked = stage.look(1);
        let is_missed = of(&looked, "ephemeral-hdfs-datanode")
            .iter()
            .any(|finding| finding["ok"] == false);
        is_missed.then_some(looked)
    });
    assert_bad(&looked, "agent", &one, "active");
    assert_bad(&looked, "ephemeral-hdfs-datanode", &two, "namenode");
    assert_bad(&looked, "shared-volume", &two, "not mounted");
    for (node, unit) in [
        (&one, "mesos-slave.service"),
        (&two, "ephemeral-hdfs-datanode.service"),
    ] {
        let daemons = of(&looked, "daemons")
            .into_iter()
            .find(|finding| finding["node"] == node.name);
        let daemons = daemons.unwrap();
        assert_eq!(daemons["ok"], false);
        assert!(daemons["detail"].as_str().unwrap().contains(unit), "{daemons}");
    }
    for fine in [
        "ssh",
        "leading-master",
        "master",
        "persistent-hdfs-datanode",
        "persistent-hdfs-file",
    ] {
        assert!(
            of(&looked, fine).iter().all(|finding| finding["ok"] == true),
            "{fine}: {looked:#}"
        );
    }
    stage
        .check(&[])
        .ended(1)
        .tells(&["BAD  agent"])
        .complains(&["unhealthy", &one.name, &two.name]);
    stage
        .bench
        .say(&["clusters"])
        .ended(0)
        .tells(&["unhealthy since"]);

    one.ask("systemctl start mesos-slave");
    two.ask("systemctl start ephemeral-hdfs-datanode; systemctl start mnt-nfs.mount; systemctl start mesosflow-shared-volume");
    stage.until_healthy();
}

/// Mesos takes an agent that hangs for active, for more than a minute.
fn an_agent_hangs(stage: &mut Stage) {
    let slave = stage.node("slave-2");
    // On a machine without time to spare, Mesos may have missed it before the look came to it: that says nothing of this.
    let looked = until("a look before Mesos misses it", RUN_LIMIT, || {
        slave.ask("pkill -STOP -x mesos-slave || pkill -STOP -x mesos-agent");
        let looked = stage.look(1);
        slave.ask("pkill -CONT -x mesos-slave || pkill -CONT -x mesos-agent");
        leader(&stage.nodes, |_| true);
        let its = of(&looked, "agent").into_iter();
        let mut its = its.filter(|finding| finding["node"] == slave.name);
        let is_missed = its.any(|finding| finding["detail"].as_str().unwrap().contains("not active"));
        (!is_missed).then_some(looked)
    });
    assert_bad(&looked, "agent", &slave, "does not answer");
    let others = of(&looked, "agent").into_iter();
    assert!(
        others
            .filter(|finding| finding["node"] != slave.name)
            .all(|finding| finding["ok"] == true),
        "{looked:#}"
    );
}

/// A node that is there and says nothing is a bad finding and no hang, and the others are looked at.
fn a_node_hangs(stage: &mut Stage) {
    let slave = stage.node("slave-1");
    slave.ask("pkill -STOP -x sshd");
    let looked = stage
        .bench
        .say(&["check", "--json", "--timeout", "5"])
        .ended(1)
        .json();
    // On a machine without time to spare, others may be late as well.
    let ssh = of(&looked, "ssh")
        .into_iter()
        .find(|finding| finding["node"] == slave.name);
    let ssh = ssh.unwrap();
    assert_eq!(ssh["ok"], false, "{looked:#}");
    assert!(
        ssh["detail"].as_str().unwrap().contains("no answer after 5 s"),
        "{ssh}"
    );
    slave.ask("pkill -CONT -x sshd");
    slave.ask("systemctl stop ssh.socket ssh 2>/dev/null; systemctl stop ssh");
    let looked = stage.look(1);
    assert_bad(&looked, "ssh", &slave, "");
    // What others say of it is as good as before, and the file is read where somebody answers.
    assert!(
        of(&looked, "agent").iter().all(|finding| finding["ok"] == true),
        "{looked:#}"
    );
    let file = of(&looked, "persistent-hdfs-file")[0];
    assert_eq!(file["ok"], true, "{file}");
    assert!(file["detail"].as_str().unwrap().contains("slave-2"), "{file}");
    slave.ask("systemctl start ssh");
}

/// Interrupted, and killed, while its files are there: nobody takes the write to its end before.
fn cut_off(stage: &mut Stage) {
    const NAMENODE: &str = "ephemeral-hdfs-namenode";
    let hub = stage.node("master-1");
    for kill in [false, true] {
        hub.ask(&format!("systemctl kill --signal=SIGSTOP {NAMENODE}"));
        let live = stage.bench.start(&["check", "--timeout", "60"]);
        until("a file on its way", LIMIT, || {
            hub.run("ls /run/mesosflow/check.*.ephemeral").ok_if()
        });
        let goes_on = || hub.ask(&format!("systemctl kill --signal=SIGCONT {NAMENODE}"));
        if kill {
            live.kill();
            goes_on();
        } else {
            live.interrupt();
            goes_on();
            live.finish(LIMIT).ended(130).complains(&["interrupted"]);
        }
        stage.until_nothing_is_left();
    }
}

/// What Mesos' own program says, in its place on the first master: as 1.11 does, which ends with 0 whatever becomes of the task.
fn speaking(what_follows: &str) -> String {
    format!(
        r#"mkdir -p /root/mesos/bin; cat > /root/mesos/bin/mesos-execute <<'END'
#!/bin/sh
printf '%s\n' "$@" > /tmp/executed
for arg in "$@"; do case $arg in --name=*) name=${{arg#--name=}} ;; esac; done
update() {{ echo "Received status update $1 for task '$name'"; [ -z "$2" ] || echo "  message: '$2'"; echo "  source: SOURCE_EXECUTOR"; }}
echo 'Subscribed with ID 2b1c-0001'
{what_follows}
END
chmod +x /root/mesos/bin/mesos-execute"#
    )
}

fn tasks(stage: &mut Stage) {
    let hub = stage.node("master-1");
    let task = |stage: &mut Stage, exit| {
        let looked = stage.look(exit);
        of(&looked, "task")[0].clone()
    };
    hub.ask(&speaking(
        "echo \"Submitted task '$name' to agent 'S0'\"; update TASK_STARTING; update TASK_RUNNING; update TASK_FINISHED 'Command exited with status 0'",
    ));
    let ran = task(stage, 0);
    assert!(
        ran["detail"].as_str().unwrap().starts_with("0.1 cpus ran on"),
        "{ran}"
    );
    let words = hub.ask("cat /tmp/executed");
    for word in [
        &*format!("--master={}:5050", hub.ip),
        "--resources=cpus:0.1;mem:32",
        "--name=mesosflow-check-",
    ] {
        assert!(words.contains(word), "{words}");
    }
    // The same in a run, whose outcome says so.
    let run = stage.run.clone();
    let health = |stage: &Stage| {
        let history = stage.bench.history(&run);
        let health = history.events().iter().rev();
        let mut health =
            health.filter(|event| event["kind"] == "step_succeeded" && event["step"] == "cluster-health");
        health.next().unwrap()["output"]["task"].clone()
    };
    assert!(
        health(stage)["not_run"]["why"]
            .as_str()
            .unwrap()
            .contains("mesos-execute")
    );

    hub.ask(&speaking(
        "echo \"Submitted task '$name' to agent 'S0'\"; update TASK_FAILED 'Failed to launch container: no space left'",
    ));
    let failed = task(stage, 1);
    assert!(
        failed["detail"]
            .as_str()
            .unwrap()
            .contains("TASK_FAILED: Failed to launch container"),
        "{failed}"
    );

    hub.ask(&speaking("exec sleep 10011"));
    let waited = task(stage, 0);
    let detail = waited["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("no task was run: no free resources"),
        "{waited}"
    );
    until("an end of the program on the node", LIMIT, || {
        hub.run("! pgrep -f '[s]leep 10011'").ok_if()
    });
}

/// Only what changes is told, in whole lines; Ctrl-C ends it with what it saw last.
fn watched(stage: &mut Stage) {
    let slave = stage.node("slave-1");
    let live = stage.bench.start(&[&PATIENT[..], &["--watch"]].concat());
    let until_said = |what: &str, times: usize| {
        until(what, LIMIT, || {
            (live.out().matches(what).count() >= times).then_some(())
        });
    };
    until_said("is healthy since", 1);
    slave.ask("systemctl stop mesos-slave");
    until_said("BAD  agent", 1);
    until_said("is unhealthy since", 1);
    slave.ask("systemctl start mesos-slave");
    until_said("ok   agent", 1);
    until_said("is healthy since", 2);
    live.interrupt();
    let said = live.finish(LIMIT).ended(0);
    assert!(
        !said.out.contains("task") && !said.out.contains("persistent"),
        "{}",
        said.out
    );
    stage.nodes.hub().ask("rm /root/mesos/bin/mesos-execute");
}

/// A run that is driven keeps nobody from looking; one that is unfinished is named.
fn beside_runs(stage: &mut Stage) {
    stage.nodes.hub().ask(&speaking(
        "echo \"Submitted task '$name' to agent 'S0'\"; update TASK_FINISHED",
    ));
    let run = stage.run.clone();
    let replay = ["replay", &run, "--from", "cluster-health", "--only", "--yes"];
    let live = stage.bench.start(&replay);
    until("the replay to hold the cluster", LIMIT, || {
        let state = stage.bench.status(&run);
        (state.value()["generation"] == 2).then_some(())
    });
    live.pause();
    let looked = stage.look(0);
    assert!(
        of(&looked, "run")[0]["detail"]
            .as_str()
            .unwrap()
            .contains("under way"),
        "{looked:#}"
    );
    live.kill();
    let looked = stage.look(0);
    let standing = of(&looked, "run")[0]["detail"].as_str().unwrap().to_owned();
    assert!(
        standing.contains("unfinished (crashed)") && standing.contains("resume"),
        "{standing}"
    );
    stage.bench.say(&["resume", &run]).ended(0);
    let history = stage.bench.history(&run);
    let health = history.events().iter().rev();
    let mut health =
        health.filter(|event| event["kind"] == "step_succeeded" && event["step"] == "cluster-health");
    let task = &health.next().unwrap()["output"]["task"];
    assert!(task["ran"]["on"].is_string(), "{task}");
}

fn destroyed(stage: &mut Stage) {
    let cluster = stage.cluster.clone();
    stage
        .bench
        .say(&["destroy", "--cluster", &cluster, "--yes"])
        .ended(0);
    stage
        .bench
        .say(&["check", "--cluster", &cluster])
        .ended(2)
        .complains(&["it was destroyed"]);
    assert_eq!(
        stage.bench.say(&["clusters", "--json"]).ended(0).json()[0]["health"],
        Value::Null
    );
}
