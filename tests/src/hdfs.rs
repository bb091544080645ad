//! The two file systems, looked at from the outside.

use std::time::Duration;

use serde_json::Value;

use crate::nodes::{Node, Nodes};
use crate::wait::until;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hdfs {
    /// On ephemeral disks.
    Ephemeral,
    /// On the volume.
    Persistent,
}

/// What makes a file system this one: a second format gives it another block pool, whatever its clusterID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSystem {
    /// Of the namenode's VERSION.
    pub cluster_id: String,
    /// Of the namenode's VERSION: made of a random number and the time of the format.
    pub block_pool: String,
}

impl Hdfs {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Ephemeral, Self::Persistent];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ephemeral => "ephemeral",
            Self::Persistent => "persistent",
        }
    }

    const fn home(self) -> &'static str {
        match self {
            Self::Ephemeral => "/mnt/ephemeral-hdfs",
            Self::Persistent => "/vol/persistent-hdfs",
        }
    }

    const fn ui_port(self) -> u16 {
        match self {
            Self::Ephemeral => 50070,
            Self::Persistent => 60070,
        }
    }

    /// Waits until the namenode has left its safe mode and every slave's datanode has registered: before, a write may be refused.
    ///
    /// # Panics
    /// It is not so at the end of `limit`.
    #[track_caller]
    pub fn until_it_serves(self, nodes: &Nodes, limit: Duration) {
        let (hub, slaves) = (nodes.hub(), nodes.of("slave").len());
        let url = format!(
            "http://{}:{}/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState",
            hub.ip,
            self.ui_port()
        );
        until(&format!("the {} HDFS serves", self.word()), limit, || {
            let answer = hub.run(&format!("curl -fsS --max-time 10 '{url}'"));
            let told: Value = serde_json::from_str(&answer.out).ok()?;
            let state = &told["beans"][0];
            (state["FSState"] == "Operational" && state["NumLiveDataNodes"] == slaves).then_some(())
        });
    }

    /// The file system of the namenode, once its format is complete; `None` before.
    pub fn formatted(self, hub: &Node) -> Option<FileSystem> {
        let home = self.home();
        let looked = hub.run(&format!(
            "test -e {home}/format && cat {home}/name/current/VERSION"
        ));
        (looked.code == 0).then(|| FileSystem {
            cluster_id: value(&looked.out, "clusterID"),
            block_pool: value(&looked.out, "blockpoolID"),
        })
    }

    /// The same where it has to be complete.
    ///
    /// # Panics
    /// It is not.
    #[track_caller]
    pub fn file_system(self, nodes: &Nodes) -> FileSystem {
        match self.formatted(nodes.hub()) {
            Some(found) => found,
            None => panic!("the {} HDFS is not formatted", self.word()),
        }
    }

    /// Asserts that every datanode stores blocks of `expected`, and of nothing else.
    ///
    /// # Panics
    /// One does not.
    #[track_caller]
    pub fn assert_datanodes_have(self, nodes: &Nodes, expected: &FileSystem) {
        for slave in nodes.of("slave") {
            let data = format!("{}/data/current", self.home());
            let version = slave.ask(&format!("cat {data}/VERSION"));
            assert_eq!(
                value(&version, "clusterID"),
                expected.cluster_id,
                "on {}",
                slave.name
            );
            let pools = slave.ask(&format!("cd {data} && ls -d BP-*"));
            assert_eq!(pools, expected.block_pool, "block pools on {}", slave.name);
        }
    }

    /// The command of this file system's client on a node.
    pub fn command(self, words: &str) -> String {
        format!("/root/{}-hdfs/bin/hdfs {words}", self.word())
    }
}

fn value(properties: &str, key: &str) -> String {
    let line = properties
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.unwrap_or_default().to_owned()
}
