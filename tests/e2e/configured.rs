//! A changed file is rolled out over a cluster that works: refused where it cannot be, shown before, killed on the way and gone on with, and
//! another time taken back. Only what it changes starts anew, one after the other; tasks live on, and no data is lost. It is a part of
//! the scenario of [`redeployed`](crate::redeployed), which has the cluster.

use std::collections::BTreeMap;

use mesosflow_tests::{Bench, Node, Nodes, Point, RUN_LIMIT, assert_healthy};
use serde_json::Value;

use crate::changed::ended;
use crate::lost::remove;
use crate::redeployed::{Tasks, cut_off, in_turn};
use crate::stopped::{read, write};

/// Units that may start anew, and where they are looked for.
const UNITS: &str = "mesos-master mesos-slave mesosflow-zookeeper ephemeral-hdfs-namenode ephemeral-hdfs-datanode persistent-hdfs-namenode \
                     persistent-hdfs-datanode mesosflow-nfs-ganesha";

pub(crate) fn a_changed_file_is_rolled_out(bench: &mut Bench, nodes: &Nodes, tasks: &Tasks<'_>) {
    write(nodes, "configured");
    refused(bench);
    let first =
        "[spark]\nhistory = true\n[hdfs]\nheap_mb = 230\n[mesos]\nagent_flags = ['--containerizers=mesos']\n";
    file(bench, first);
    planned(bench);

    let before = processes(nodes);
    let configure = ["configure", "--yes"];
    let run = cut_off(bench, &configure, Point::item_succeeded("restart-agents"));
    bench.start(&["resume", &run]).finish(RUN_LIMIT).ended(0);
    ended(bench, &run);
    in_turn(bench, &run, "restart-agents", nodes, None);
    in_turn(bench, &run, "persistent-restart-datanodes", nodes, None);
    let after = processes(nodes);
    for (process, pid) in &before {
        let is_meant = process.contains("hdfs") || process.contains("mesos-slave");
        assert_eq!(
            after[process] != *pid,
            is_meant,
            "{process}: {pid}, {}",
            after[process]
        );
    }
    for slave in nodes.of("slave") {
        assert_eq!(slave.ask("cat /etc/mesos-slave/containerizers"), "mesos");
    }
    nodes
        .hub()
        .ask("systemctl is-active mesosflow-spark-history && systemctl is-enabled mesosflow-spark-history");
    tasks.live();
    read(nodes, "configured");
    bench.say(&configure).ended(0);
    drifted(bench, nodes);
    what_is_somebodys_own_stays(bench, nodes, first);

    // Another one is taken back, wherever each node is.
    file(
        bench,
        &format!(
            "{first}master_flags = ['--webui_dir=/root/mesos/share/mesos/webui']\n[zookeeper]\nheap_mb = 120\n"
        ),
    );
    let run = cut_off(bench, &configure, Point::item_started("restart-masters"));
    in_turn_as_far(bench, &run, "restart-zookeepers");
    let plan = bench.say(&["plan", "rollback", "--json"]).ended(0).json();
    let diff = plan["files"].to_string();
    assert!(diff.contains("-ZOOKEEPER_HEAP_MB=120"), "{plan}");
    assert!(
        plan["restarts"]
            .to_string()
            .contains("mesosflow-zookeeper.service"),
        "{plan}"
    );
    assert!(!plan["restarts"].to_string().contains("hdfs"), "{plan}");
    bench.start(&["rollback", "--yes"]).finish(RUN_LIMIT).ended(0);
    assert_eq!(bench.status(&run).state(), "closed");
    for node in nodes.of("master") {
        let flag = node.ask("cat /etc/mesos-master/webui_dir 2>/dev/null || echo none");
        assert_eq!(flag, "none", "{}", node.name);
    }
    for node in nodes.of("zookeeper") {
        let env = node.ask("cat /root/mesos-ec2/zookeeper/zookeeper-env");
        assert!(env.contains("128"), "{env}");
    }
    tasks.live();
    read(nodes, "configured");
    let check = bench.check();
    assert_eq!(check["healthy"], true, "{check}");
}

/// A slave that is lost while others are started anew is passed over; another one in its place has what the others have.
pub(crate) fn a_node_dies_on_the_way(bench: &mut Bench, deploy: &str) {
    file(bench, "hdfs.heap_mb = 240\n");
    let run = cut_off(
        bench,
        &["configure", "--yes"],
        Point::item_succeeded("restart-datanodes"),
    );
    let nodes = bench.nodes(deploy);
    let lost = nodes.of("slave").last().unwrap().name.clone();
    remove(bench, &nodes, &lost);
    bench.start(&["resume", &run]).finish(RUN_LIMIT).ended(0);
    assert_eq!(bench.status(&run).state(), "partial");
    bench
        .start(&["replace-node", &lost, "--yes"])
        .finish(RUN_LIMIT)
        .ended(0);
    let nodes = bench.nodes(deploy);
    assert_healthy(&nodes);
    for slave in nodes.of("slave") {
        let heap = slave.ask("grep -h DATANODE_HEAP_MB /root/persistent-hdfs/conf/hadoop-env.sh");
        assert!(heap.contains("=240"), "{}: {heap}", slave.name);
    }
    read(&nodes, "configured");
    bench.say(&["configure", "--yes"]).ended(0);
}

/// What one node has otherwise than the others is found before, and set right there alone.
fn drifted(bench: &mut Bench, nodes: &Nodes) {
    let conf = "/root/persistent-hdfs/conf/hadoop-env.sh";
    let slaves = nodes.of("slave");
    let (other, whole) = slaves.split_last().unwrap();
    other.ask(&format!("echo '# drifted' >> {conf}"));
    let plan = bench.say(&["plan", "configure", "--json"]).ended(0).json();
    let files = plan["files"].as_array().unwrap();
    assert_eq!(files.len(), 1, "{plan}");
    assert_eq!(files[0]["nodes"], serde_json::json!([other.name]));
    assert!(
        files[0]["diff"].as_str().unwrap().contains("\n-# drifted\n"),
        "{plan}"
    );
    let before = processes(nodes);
    bench.start(&["configure", "--yes"]).finish(RUN_LIMIT).ended(0);
    assert_eq!(other.ask(&format!("grep -c drifted {conf} || true")), "0");
    let after = processes(nodes);
    for node in whole {
        for (process, pid) in before
            .iter()
            .filter(|(process, _)| process.starts_with(&node.name))
        {
            assert_eq!(after[process], *pid, "{process} was started anew");
        }
    }
}

/// A flag that somebody has put on a node stays there, in the plan too, and its agent goes on; a cluster file that is damaged is laid down
/// whole; and who is only paused is told as that.
fn what_is_somebodys_own_stays(bench: &mut Bench, nodes: &Nodes, first: &str) {
    let slaves = nodes.of("slave");
    let (own, other) = (slaves[0], slaves[1]);
    let flag = "/etc/mesos-slave/isolation";
    let before = other.ask("cat /etc/mesosflow/cluster");
    own.ask(&format!("echo posix/cpu > {flag}"));
    other.ask("head -c 3000 /dev/urandom > /etc/mesosflow/cluster");
    let with = first.replace("mesos']", "mesos', '--isolation=posix/mem']");
    file(bench, &with);

    bench.engine().run(&["pause", &own.container]).ok();
    let refused = bench.say(&["configure", "--yes"]);
    bench.engine().run(&["unpause", &own.container]).ok();
    refused.ended(3).complains(&["is paused", &own.name]);

    let plan = bench.say(&["plan", "configure", "--json"]).ended(0).json();
    let of_flag: Vec<_> = plan["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|file| file["path"] == flag)
        .collect();
    assert_eq!(of_flag.len(), 1, "{plan}");
    assert!(!of_flag[0]["nodes"].to_string().contains(&own.name), "{plan}");
    // What somebody has put there since its agent started comes into force, too.
    assert_eq!(plan["restarts"].as_array().unwrap().len(), 1, "{plan}");
    assert!(plan["restarts"].to_string().contains(&own.name), "{plan}");
    let warnings = plan["warnings"].to_string();
    assert!(
        warnings.contains(&format!("{flag} on {} is somebody's own", own.name)),
        "{plan}"
    );
    let laid = plan["files"].as_array().unwrap().iter();
    let laid: Vec<_> = laid
        .filter(|file| {
            file["path"] == "/etc/mesosflow/cluster" && file["nodes"].to_string().contains(&other.name)
        })
        .collect();
    assert!(
        laid[0]["diff"]
            .as_str()
            .unwrap()
            .contains("\n+# mesosflow cluster 1\n"),
        "{plan}"
    );

    bench.start(&["configure", "--yes"]).finish(RUN_LIMIT).ended(0);
    assert_eq!(own.ask(&format!("cat {flag}")), "posix/cpu");
    assert_eq!(other.ask(&format!("cat {flag}")), "posix/mem");
    let after = other.ask("cat /etc/mesosflow/cluster");
    let facts = |text: &str| {
        let lines = text
            .lines()
            .filter(|line| !line.starts_with("epoch=") && !line.contains("isolation="));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(facts(&after), facts(&before));

    // The way back is none of its concern.
    let pids = processes(nodes);
    file(bench, first);
    bench.start(&["configure", "--yes"]).finish(RUN_LIMIT).ended(0);
    let agent = |name: &str| format!("{name} mesos-slave");
    let after = processes(nodes);
    assert_eq!(after[&agent(&own.name)], pids[&agent(&own.name)]);
    assert_ne!(after[&agent(&other.name)], pids[&agent(&other.name)]);
    own.ask(&format!("rm {flag}"));
    assert_eq!(other.ask(&format!("cat {flag} 2>/dev/null || echo none")), "none");
}

fn file(bench: &Bench, text: &str) {
    std::fs::write(bench.path("mesosflow.toml"), text).unwrap();
}

/// All that cannot change is named at once, and nothing is begun.
fn refused(bench: &mut Bench) {
    let runs = |bench: &mut Bench| bench.say(&["list", "--json"]).json().as_array().unwrap().len();
    let before = runs(bench);
    bench.no_config();
    bench
        .say(&["configure", "--yes"])
        .ended(2)
        .complains(&["mesosflow.toml", "--config"]);
    let cannot = [
        (
            "masters = 3\nslaves = 7\nos = 'debian11'\nhdfs.heap_mb = 230\nmesos.agent_flags = ['--master=a:1']\n",
            &["`masters`", "`slaves`", "add-slaves", "`os`", "`--master`"][..],
        ),
        (
            "mesos.master_flags = ['--quorum=9']\n",
            &["`--quorum`", "leave it out"],
        ),
        (
            "mesos.agent_flags = ['--work_dir=/w']\n",
            &["--work_dir", "tasks"],
        ),
        ("deploy_dir = ''\n", &["`deploy_dir` is empty"]),
    ];
    for (text, why) in cannot {
        file(bench, text);
        bench.say(&["configure", "--yes"]).ended(2).complains(why);
    }
    file(bench, "hdfs.heap_mb = 4000000\n");
    bench
        .say(&["configure", "--yes"])
        .ended(1)
        .complains(&["`hdfs.heap_mb`", "of memory"]);
    assert_eq!(runs(bench), before);
}

/// A plan shows each file as it differs, and what starts anew; without a yes nothing is begun.
fn planned(bench: &mut Bench) {
    let plan = bench.say(&["plan", "configure", "--json"]).ended(0).json();
    assert_eq!(plan["workflow"], "configure");
    let diff = |path: &str| {
        let files = plan["files"].as_array().unwrap();
        let file = files.iter().find(|file| file["path"] == path);
        file.unwrap_or_else(|| panic!("{path} is not in {plan}"))["diff"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let heap = diff("/root/persistent-hdfs/conf/hadoop-env.sh");
    assert!(heap.contains("\n-export HADOOP_DATANODE_HEAP_MB=256\n"), "{heap}");
    assert!(heap.contains("\n+export HADOOP_DATANODE_HEAP_MB=230\n"), "{heap}");
    assert!(diff("/etc/mesos-slave/containerizers").contains("\n+mesos\n"));
    let units = plan["restarts"].as_array().unwrap().iter();
    let units: Vec<_> = units.map(|restart| restart["unit"].as_str().unwrap()).collect();
    assert_eq!(
        units,
        [
            "ephemeral-hdfs-namenode.service",
            "ephemeral-hdfs-datanode.service",
            "persistent-hdfs-namenode.service",
            "persistent-hdfs-datanode.service",
            "mesos-slave.service",
        ]
    );
    bench
        .say(&["configure"])
        .ended(3)
        .complains(&["--yes", "namenode", "agents"]);
}

/// The main process of each unit on each node, by both names.
fn processes(nodes: &Nodes) -> BTreeMap<String, String> {
    let of_node = |node: &Node| {
        let look = format!(
            "for unit in {UNITS}; do pid=$(systemctl show --property MainPID --value $unit); [ \"$pid\" = 0 ] || echo $unit $pid; done"
        );
        let name = node.name.clone();
        let said = node.ask(&look);
        let pairs = said.lines().filter_map(|line| line.split_once(' '));
        let pairs = pairs.map(|(unit, pid)| (format!("{name} {unit}"), pid.to_owned()));
        pairs.collect::<Vec<_>>()
    };
    nodes.all().iter().flat_map(of_node).collect()
}

/// Of a run that was cut off: one after the other, and all of them.
fn in_turn_as_far(bench: &Bench, run: &str, step: &str) {
    let history = bench.history(run);
    let events = history.events().iter().filter(|event| event["step"] == step);
    let kinds: Vec<_> = events
        .filter(|event| event["item"].is_string())
        .map(|event: &Value| event["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["step_started", "step_succeeded"].repeat(3), "{step}");
}
