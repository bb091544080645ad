//! The second master's checkpoint of the persistent file system: there with the deploy, and what a first master begins with that has lost
//! its namenode's folder.

use mesosflow_steps::life::ImportCheckpoint;
use mesosflow_steps::{Checkpoint, newest_checkpoint};
use mesosflow_tests::{Bench, FileSystem, Floor, Hdfs, Node, Nodes, RUN_LIMIT, assert_healthy};
use mesosflow_workflow::{ErrorClass, ErrorReport};

const HDFS: Hdfs = Hdfs::Persistent;
const HOME: &str = "/vol/persistent-hdfs";
const SECONDARY: &str = "persistent-hdfs-secondarynamenode";

#[test]
fn a_lost_name_folder_comes_back_from_the_second_master() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let run = bench
        .start(&["run", "--cluster", &cluster, "--masters", "2", "--slaves", "1"])
        .finish(RUN_LIMIT)
        .ended(0)
        .run();
    let (nodes, floor) = (bench.nodes(&run), Floor::of(&bench, &run));
    let stage = Stage {
        nodes: &nodes,
        floor: &floor,
    };
    let made = HDFS.file_system(&nodes);
    let first = stage.newest();
    assert_eq!(first.cluster_id, made.cluster_id);
    is_told(&mut bench, &stage);

    let sum = stage.write();
    // Whenever it starts, it makes one.
    stage.second().ask(&format!("systemctl restart {SECONDARY}"));
    let kept = stage.newest();
    assert!(kept.transaction > first.transaction, "{kept:?} {first:?}");
    stage.leaves_alone_what_is_there(&made);
    stage.is_brought_back(&made, &kept);
    bench
        .start(&[
            "replay",
            "--from",
            "persistent-hdfs-start",
            "--to",
            "persistent-hdfs-start",
        ])
        .finish(RUN_LIMIT)
        .ended(0);
    assert_eq!(stage.read(), sum);
    assert_eq!(HDFS.file_system(&nodes), made);
    HDFS.assert_datanodes_have(&nodes, &made);
    assert!(
        stage.newest().transaction > kept.transaction,
        "it makes no more of them"
    );

    // Another file system has others: those of the one before count no more.
    let format = [
        "replay",
        "--from",
        "persistent-hdfs-format",
        "--to",
        "persistent-hdfs-start",
        "--yes",
    ];
    bench.start(&format).finish(RUN_LIMIT).ended(0);
    let other = HDFS.file_system(&nodes);
    assert_ne!(other, made);
    assert_eq!(stage.newest().cluster_id, other.cluster_id);
    bench.start(&["resume", &run]).finish(RUN_LIMIT).ended(0);
    assert_healthy(&nodes);
}

struct Stage<'a> {
    nodes: &'a Nodes,
    floor: &'a Floor,
}

impl Stage<'_> {
    fn second(&self) -> &Node {
        self.nodes.of("master")[1]
    }

    fn newest(&self) -> Checkpoint {
        let second = self.floor.node(&self.second().name);
        let found = self
            .floor
            .await_it(newest_checkpoint(self.floor.world(), &second));
        found.unwrap().expect("a checkpoint")
    }

    fn import(&self, cluster_id: &str) -> Result<(), ErrorReport> {
        let imported = self.floor.drive(|| ImportCheckpoint {
            hub: self.floor.node(&self.nodes.hub().name),
            second: self.floor.node(&self.second().name),
            cluster_id: cluster_id.to_owned(),
        });
        imported.map(drop)
    }

    /// A file of several blocks and some that have none; their sum.
    fn write(&self) -> String {
        let dfs = HDFS.command("dfs");
        self.nodes.hub().ask(&format!(
            "head -c 2500000 /dev/urandom > /tmp/source
{dfs} -mkdir -p '/a folder' && {dfs} -D dfs.blocksize=1048576 -put /tmp/source '/a folder/of blocks' && {dfs} -touchz /empty"
        ));
        self.read()
    }

    fn read(&self) -> String {
        let dfs = HDFS.command("dfs");
        let script = format!("{dfs} -ls -R / | tr -s ' ' && {dfs} -cat '/a folder/of blocks' | sha256sum");
        self.nodes.of("slave")[0].ask(&script)
    }

    fn leaves_alone_what_is_there(&self, made: &FileSystem) {
        let other = self.import("CID-other").unwrap_err();
        assert_eq!(other.class, ErrorClass::Operator, "{other:?}");
        assert!(other.message.contains("not of CID-other"), "{other:?}");
        self.import(&made.cluster_id).unwrap();
        self.second().ask(&format!("systemctl is-active {SECONDARY}"));
    }

    fn is_brought_back(&self, made: &FileSystem, kept: &Checkpoint) {
        let hub = self.nodes.hub();
        let mark = hub.ask(&format!("cat {HOME}/format"));
        hub.ask(&format!(
            "systemctl stop persistent-hdfs-namenode && mv {HOME}/name {HOME}/lost && rm {HOME}/format"
        ));
        let other = self.import("CID-other").unwrap_err();
        assert_eq!(other.class, ErrorClass::Operator, "{other:?}");
        assert!(other.message.contains(&made.cluster_id), "{other:?}");
        assert!(HDFS.formatted(hub).is_none());

        self.import(&made.cluster_id).unwrap();
        // Twice is once.
        self.import(&made.cluster_id).unwrap();
        assert_eq!(HDFS.formatted(hub).as_ref(), Some(made));
        assert_eq!(hub.ask(&format!("cat {HOME}/format")), mark);
        let seen = hub.ask(&format!("cat {HOME}/name/current/seen_txid"));
        assert_eq!(seen, kept.transaction.to_string());
        assert_eq!(hub.ask(&format!("ls -d {HOME}/name*")), format!("{HOME}/name"));
    }
}

/// Everyday's look says how old it is.
fn is_told(bench: &mut Bench, stage: &Stage<'_>) {
    let looked = bench.check();
    let findings = looked["findings"].as_array().unwrap();
    let of_it: Vec<_> = findings
        .iter()
        .filter(|finding| finding["what"] == "persistent-hdfs-checkpoint")
        .collect();
    assert_eq!(of_it.len(), 1, "{looked:#}");
    assert_eq!(of_it[0]["node"], stage.second().name.as_str());
    assert!(
        of_it[0]["detail"].as_str().unwrap().contains(" min old"),
        "{looked:#}"
    );
}
