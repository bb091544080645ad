//! What a look at a cluster has found: a line of it.

use std::fmt;

use mesosflow_workflow::ErrorReport;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::act::ActError;
use crate::hdfs::Hdfs;

/// What was looked at, in the order in which bad ones are told where only one can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A run of the cluster that is unfinished, or takes it down.
    Run,
    /// Whether a node answers.
    Ssh,
    /// The daemons of a node that start by themselves.
    Daemons,
    /// What a ZooKeeper server is.
    Zookeeper,
    /// The servers together: one leader, the rest followers.
    Quorum,
    /// Whom a master takes for the leading one.
    Master,
    /// Whether one master leads.
    Leader,
    /// Whether a slave is registered with the leading master, and active.
    Agent,
    /// An agent of the leading master's whose machine is none of the cluster's record.
    Joined,
    /// Whether a namenode takes writes.
    Namenode(Hdfs),
    /// Whether blocks are missing.
    Blocks(Hdfs),
    /// Whether a slave's datanode is heard of.
    Datanode(Hdfs),
    /// How old the second master's checkpoint of the persistent HDFS is.
    Checkpoint,
    /// A file that is written, read and removed.
    File(Hdfs),
    /// A token that is read through `/mnt/nfs`.
    SharedVolume,
    /// A task that Mesos runs.
    Task,
    /// Whether jobs of Spark can run on Mesos.
    Spark,
    /// A job of Spark's that writes to both HDFS and reads from them.
    SparkJob,
}

impl What {
    /// The word for it, which scripts rely on.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Ssh => "ssh",
            Self::Daemons => "daemons",
            Self::Zookeeper => "zookeeper",
            Self::Quorum => "zookeeper-quorum",
            Self::Master => "master",
            Self::Leader => "leading-master",
            Self::Agent => "agent",
            Self::Joined => "joined",
            Self::Namenode(Hdfs::Ephemeral) => "ephemeral-hdfs-namenode",
            Self::Namenode(Hdfs::Persistent) => "persistent-hdfs-namenode",
            Self::Blocks(Hdfs::Ephemeral) => "ephemeral-hdfs-blocks",
            Self::Blocks(Hdfs::Persistent) => "persistent-hdfs-blocks",
            Self::Datanode(Hdfs::Ephemeral) => "ephemeral-hdfs-datanode",
            Self::Datanode(Hdfs::Persistent) => "persistent-hdfs-datanode",
            Self::Checkpoint => "persistent-hdfs-checkpoint",
            Self::File(Hdfs::Ephemeral) => "ephemeral-hdfs-file",
            Self::File(Hdfs::Persistent) => "persistent-hdfs-file",
            Self::SharedVolume => "shared-volume",
            Self::Task => "task",
            Self::Spark => "spark",
            Self::SparkJob => "spark-job",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that was looked at.
#[derive(Debug)]
pub struct Finding {
    /// What it was.
    pub what: What,
    /// The node that it is about; none where it is about all of them.
    pub node: Option<String>,
    /// How it is; or what is wrong with it, or why nothing can be said.
    pub outcome: Result<String, ActError>,
}

impl Finding {
    /// How it is, or what is wrong.
    pub fn detail(&self) -> String {
        match &self.outcome {
            Ok(detail) => detail.clone(),
            Err(error) => {
                let ErrorReport { message, causes, .. } = ErrorReport::of(error);
                let all: Vec<_> = std::iter::once(message).chain(causes).collect();
                all.join(": ")
            }
        }
    }

    /// What can be done about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        ErrorReport::of(self.outcome.as_ref().err()?).hint
    }
}

/// The contract of `check --json`: `{what, node?, ok, detail}`.
impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = 3 + usize::from(self.node.is_some());
        let mut object = serializer.serialize_struct("Finding", fields)?;
        object.serialize_field("what", self.what.as_str())?;
        if let Some(node) = &self.node {
            object.serialize_field("node", node)?;
        }
        object.serialize_field("ok", &self.outcome.is_ok())?;
        object.serialize_field("detail", &self.detail())?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_what_scripts_rely_on() {
        let mut finding = Finding {
            what: What::Datanode(Hdfs::Persistent),
            node: Some("demo-slave-1".into()),
            outcome: Err(ActError::wrong("is not live")),
        };
        assert_eq!(
            serde_json::to_value(&finding).unwrap(),
            serde_json::json!({"what": "persistent-hdfs-datanode", "node": "demo-slave-1", "ok": false, "detail": "is not live"})
        );
        (finding.node, finding.outcome) = (None, Ok("fine".into()));
        assert_eq!(
            serde_json::to_value(&finding).unwrap(),
            serde_json::json!({"what": "persistent-hdfs-datanode", "ok": true, "detail": "fine"})
        );
    }
}
