//! The two HDFS: where they live, and how they are asked.

use serde::{Deserialize, Serialize};

use crate::act::ActError;
use crate::cluster::Node;
use crate::remote::Output;
use crate::service::{DEPLOYED_UNITS, Service};
use crate::world::{Script, World};

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hdfs {
    /// On ephemeral disks: formatted for every generation of a cluster.
    Ephemeral,
    /// On the volume: an existing one is never formatted over unless the user names that very step.
    Persistent,
}

/// What the namenode says of itself, in two documents. Missing blocks are `NumberOfMissingBlocks`, which is counted when it is asked
/// for; `MissingBlocks` is a metric, which is up to ten seconds old.
const BEANS: &str = r#"ask="http://$address:$ui/jmx?qry=Hadoop:service=NameNode,name"
curl -fsS --max-time 10 "$ask=NameNodeInfo" "$ask=FSNamesystem""#;

/// Folders of the persistent datanodes.
pub(crate) const PERSISTENT_DATA: &str = "/vol/persistent-hdfs/data";

/// What a file system knows of and cannot give, or not from each of its copies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Blocks {
    /// Blocks of which no good copy is left.
    pub missing: u64,
    /// Blocks with a damaged copy, also where others are good.
    pub corrupt: u64,
}

impl Blocks {
    /// What is missing and what is damaged, as a sentence fragment about the file system.
    pub fn text(self, hdfs: Hdfs) -> String {
        let count = |number: u64| match number {
            1 => "1 block".to_owned(),
            number => format!("{number} blocks"),
        };
        let mut said = Vec::new();
        if self.missing > 0 {
            said.push(format!("{} of which no copy is left", count(self.missing)));
        }
        if self.corrupt > 0 {
            said.push(format!("{} with a damaged copy", count(self.corrupt)));
        }
        format!("the {} HDFS has {}", hdfs.as_str(), said.join(" and "))
    }
}

impl Hdfs {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ephemeral => "ephemeral",
            Self::Persistent => "persistent",
        }
    }

    /// Where it lives on a node.
    pub(super) const fn home(self) -> &'static str {
        match self {
            Self::Ephemeral => "/mnt/ephemeral-hdfs",
            Self::Persistent => "/vol/persistent-hdfs",
        }
    }

    /// Port of the namenode's web interface.
    pub const fn ui_port(self) -> u16 {
        match self {
            Self::Ephemeral => 50070,
            Self::Persistent => 60070,
        }
    }

    /// Port of the namenode.
    pub const fn port(self) -> u16 {
        match self {
            Self::Ephemeral => 9000,
            Self::Persistent => 9010,
        }
    }

    /// Port of a datanode's web interface.
    pub(super) const fn datanode_ui_port(self) -> u16 {
        match self {
            Self::Ephemeral => 50075,
            Self::Persistent => 60075,
        }
    }

    /// The daemon of its namenode.
    pub(crate) const fn namenode(self) -> Service {
        match self {
            Self::Ephemeral => Service {
                unit: "ephemeral-hdfs-namenode.service",
                units: DEPLOYED_UNITS,
                config: "/root/ephemeral-hdfs/conf",
            },
            Self::Persistent => Service {
                unit: "persistent-hdfs-namenode.service",
                units: DEPLOYED_UNITS,
                config: "/root/persistent-hdfs/conf",
            },
        }
    }

    /// The daemon of its datanodes.
    pub(crate) const fn datanode(self) -> Service {
        match self {
            Self::Ephemeral => Service {
                unit: "ephemeral-hdfs-datanode.service",
                units: DEPLOYED_UNITS,
                config: "/root/ephemeral-hdfs/conf",
            },
            Self::Persistent => Service {
                unit: "persistent-hdfs-datanode.service",
                units: DEPLOYED_UNITS,
                config: "/root/persistent-hdfs/conf",
            },
        }
    }

    /// What a script prints that asks the namenode. That one may be about to start: where it does not answer, it may do so later.
    ///
    /// # Errors
    /// The node cannot be reached, or the script fails.
    pub(super) async fn asked(
        self,
        world: &World,
        namenode: &Node,
        script: Script<'_>,
    ) -> Result<Output, ActError> {
        match world.run(namenode, script).await {
            Err(error) if error.exit_status().is_some() => Err(ActError::not_yet(error.to_string())),
            said => Ok(said?),
        }
    }

    /// The script that asks the namenode, on its node, for what it says of itself: its beans `NameNodeInfo` and `FSNamesystem`.
    pub fn beans_script(self, namenode: &Node) -> Script<'static> {
        let title = match self {
            Self::Ephemeral => "ask the ephemeral namenode how it is",
            Self::Persistent => "ask the persistent namenode how it is",
        };
        Script::new(title, BEANS)
            .var("address", namenode.private_ip)
            .var("ui", self.ui_port())
    }
}
