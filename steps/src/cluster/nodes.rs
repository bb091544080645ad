//! What a cluster is made of: roles, machines, nodes.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::host_key::HostKey;

/// Port of the Mesos master.
pub const MESOS_MASTER_PORT: u16 = 5050;
/// The node of ZooKeeper under which the masters meet.
pub const MEETING_PLACE: &str = "/mesos";
/// Port that ZooKeeper's clients use.
pub const ZOOKEEPER_PORT: u16 = 2181;

/// What a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A Mesos master; the first one is also the hub and holds both namenodes.
    Master,
    /// A Mesos slave with a datanode of each HDFS.
    Slave,
    /// A ZooKeeper server.
    Zookeeper,
}

impl Role {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Slave => "slave",
            Self::Zookeeper => "zookeeper",
        }
    }

    /// The host name of a cluster's machine of this role, by its number from 1: `demo-master-1`.
    pub fn node_name(self, cluster: &str, index: u16) -> String {
        format!("{cluster}-{self}-{index}")
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How the host key of a machine gets known before the first connection to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostKeySource {
    /// Read from the machine's console, where cloud-init prints it, through the API.
    #[default]
    Console,
    /// Made by mesosflow and handed to the machine in its user data. Known at once; but the private half can be read by
    /// whoever may read the machine's user data, from the API or on the machine itself.
    UserData,
    /// Whatever key the machine shows on the first connection is taken. Somebody in between could show his own.
    AcceptNew,
}

impl HostKeySource {
    /// The word for it in the config.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::UserData => "user-data",
            Self::AcceptNew => "accept-new",
        }
    }
}

/// A machine that `launch-*` made (or found): it exists, and may not answer yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The provider's id.
    pub id: String,
    /// Its host name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Its number within the role, from 1.
    pub index: u16,
    /// Its address inside the cluster.
    pub private_ip: IpAddr,
    /// Its address from outside, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_ip: Option<IpAddr>,
    /// The EBS volume that was attached to it when it was launched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
}

impl Instance {
    /// Whether it is the first master: both namenodes, the shared volume, and what is copied to the others.
    pub fn is_first_master(&self) -> bool {
        self.role == Role::Master && self.index == 1
    }
}

/// A slave of a cluster whose slaves are not those any more that were asked for first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its number, from 1. No number is ever given twice.
    pub index: u16,
    /// The machine, where mesosflow has not launched it: it joined by itself, and was adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<Instance>,
    /// The instance type of the machine that is launched for it, where that is another one than the others'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_type: Option<String>,
}

impl Member {
    /// A slave whose machine is launched.
    pub const fn launched(index: u16) -> Self {
        Self {
            index,
            joined: None,
            machine_type: None,
        }
    }
}

/// A machine that answers: `await-nodes` pinned its host key and logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// The machine.
    #[serde(flatten)]
    pub instance: Instance,
    /// Who logs in.
    pub user: String,
    /// The SSH port.
    pub port: u16,
    /// The host key that it must show.
    pub host_key: HostKey,
    /// How that key got known, where the provider has several ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key_source: Option<HostKeySource>,
    /// The node through which it is reached; none where this machine reaches it directly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Box<Node>>,
}

impl std::ops::Deref for Node {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        &self.instance
    }
}

/// The nodes of a cluster by role, each list in the order of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// At least one.
    pub masters: Vec<Node>,
    /// At least one.
    pub slaves: Vec<Node>,
    /// Three, or none with a single master.
    pub zookeepers: Vec<Node>,
}

impl Inventory {
    /// Sorts nodes by role and index; `None` without a master.
    pub fn new(nodes: impl IntoIterator<Item = Node>) -> Option<Self> {
        let mut inventory = Self {
            masters: Vec::new(),
            slaves: Vec::new(),
            zookeepers: Vec::new(),
        };
        for node in nodes {
            match node.role {
                Role::Master => inventory.masters.push(node),
                Role::Slave => inventory.slaves.push(node),
                Role::Zookeeper => inventory.zookeepers.push(node),
            }
        }
        for list in [
            &mut inventory.masters,
            &mut inventory.slaves,
            &mut inventory.zookeepers,
        ] {
            list.sort_by_key(|node| node.index);
        }
        (!inventory.masters.is_empty()).then_some(inventory)
    }

    /// The first master: hub of all copies, home of both namenodes.
    pub fn first_master(&self) -> &Node {
        &self.masters[0]
    }

    /// The masters but the first.
    pub fn other_masters(&self) -> &[Node] {
        &self.masters[1..]
    }

    /// The second master: home of the persistent HDFS' checkpoints.
    pub fn second_master(&self) -> Option<&Node> {
        self.masters.iter().find(|node| node.index == 2)
    }

    /// Every node: masters, slaves, ZooKeepers.
    pub fn all(&self) -> impl Iterator<Item = &Node> {
        self.masters.iter().chain(&self.slaves).chain(&self.zookeepers)
    }

    /// Every node but the first master.
    pub fn others(&self) -> impl Iterator<Item = &Node> {
        self.all().skip(1)
    }

    /// The masters but the first, then the slaves: where Mesos is copied to.
    pub fn mesos_others(&self) -> impl Iterator<Item = &Node> {
        self.other_masters().iter().chain(&self.slaves)
    }

    /// Where Mesos finds its master: `zk://ip:2181,…/mesos`, or the only master's `ip:5050`.
    pub fn cluster_url(&self) -> String {
        if self.zookeepers.is_empty() {
            return format!("{}:{MESOS_MASTER_PORT}", self.first_master().private_ip);
        }
        format!("zk://{}{MEETING_PLACE}", self.zookeeper_connect())
    }

    /// ZooKeeper's connect string, `ip:2181,…`; empty without ZooKeeper.
    pub fn zookeeper_connect(&self) -> String {
        let servers: Vec<_> = self
            .zookeepers
            .iter()
            .map(|z| format!("{}:{ZOOKEEPER_PORT}", z.private_ip))
            .collect();
        servers.join(",")
    }
}
