//! `distribute-scripts`, `distribute-hdfs-config` (notes 2.9, 2.11): what every other node has of the first master's: the deployed
//! folder and a key; the configuration of both HDFS and, on masters and slaves, of Spark. Masters get the key that opens all nodes, since any of them may become the hub;
//! the others one of their role, unless all are to have that one.
//!
//! - Changes: the folders on the node become what they are on the first master; those of HDFS and Spark that mesosflow did not put there are
//!   moved aside.
//! - Twice is safe: rsync moves what differs.
//! - Not undone.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::authorized::NodeKey;
use crate::cluster::{Node, Role, input};
use crate::hub;
use crate::on_node::{HDFS_CONF, ROLES_FOLDER, SCRIPTS_FOLDER, SPARK_CONF, SSH_FOLDER};
use crate::world::World;

/// What is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Distributed {
    /// The deployed folder, and this key.
    Scripts {
        /// Which one the node gets.
        key: NodeKey,
    },
    /// The configuration of both HDFS, and of Spark.
    HdfsConfig {},
}

/// Where each node of a role has configuration of programs: of both HDFS everywhere, of Spark where a driver or an executor may run.
pub(crate) fn conf_folders(role: Role) -> impl Iterator<Item = &'static str> {
    let of_spark = (role != Role::Zookeeper).then_some(SPARK_CONF);
    HDFS_CONF.into_iter().chain(of_spark)
}

/// One copy for one node.
#[derive(Debug, Serialize)]
pub struct Distribute {
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub hub: Node,
    /// The node that gets it.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
    /// What it gets.
    #[serde(flatten)]
    pub what: Distributed,
    /// Digest of the rendered tree: another tree is another input.
    pub tree: String,
}

impl Distribute {
    /// The step that distributes the deployed folder and the keys.
    pub const SCRIPTS: StepId = StepId::from_static("distribute-scripts");
    /// The step that distributes the configuration of both HDFS, and of Spark.
    pub const HDFS_CONFIG: StepId = StepId::from_static("distribute-hdfs-config");

    /// What is copied where.
    fn copies(&self) -> Vec<(String, &'static str)> {
        let Distributed::Scripts { key } = self.what else {
            let all = conf_folders(self.node.role);
            return all.map(|folder| (folder.to_owned(), folder)).collect();
        };
        let mut copies = vec![(SCRIPTS_FOLDER.to_owned(), SCRIPTS_FOLDER)];
        copies.push(match key {
            NodeKey::Nodes => (SSH_FOLDER.to_owned(), SSH_FOLDER),
            NodeKey::Slave => (format!("{ROLES_FOLDER}/slave"), SSH_FOLDER),
            NodeKey::Zookeeper => (format!("{ROLES_FOLDER}/zookeeper"), SSH_FOLDER),
        });
        if self.node.role == Role::Master {
            copies.push((ROLES_FOLDER.to_owned(), ROLES_FOLDER));
        }
        copies
    }

    async fn is_there(&self, cx: &StepCx<World>) -> Result<bool, ActError> {
        for (folder, target) in self.copies() {
            if !hub::is_equal(cx.world(), &self.hub, &self.node, &folder, target).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Step for Distribute {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        match self.what {
            Distributed::Scripts { .. } => Self::SCRIPTS,
            Distributed::HdfsConfig {} => Self::HDFS_CONFIG,
        }
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(Probe::done_if(self.is_there(cx).await?))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        for (folder, target) in self.copies() {
            hub::copy_to(cx.world(), &self.hub, &self.node, &folder, target).await?;
        }
        Ok(())
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        if self.is_there(cx).await? {
            return Ok(());
        }
        Err(ActError::not_yet(format!(
            "{} does not have what the first master has",
            self.node.name
        )))
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(600))
    }
}
