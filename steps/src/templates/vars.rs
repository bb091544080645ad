//! The variables that the templates of the deployed tree see.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::cluster::{ClusterSpec, Inventory, Node};

/// Replication of the ephemeral HDFS; never more than there are slaves.
const EPHEMERAL_REPLICATION: usize = 3;
/// Replication of the persistent HDFS; never more than there are slaves.
const PERSISTENT_REPLICATION: usize = 2;
/// Where Debian's `openjdk-17-jre-headless` puts its runtime on amd64; the launcher falls back to `java` in the path.
const JAVA_HOME: &str = "/usr/lib/jvm/java-17-openjdk-amd64";

/// Everything that a template may name. A name that is not here is an error, not an empty string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployVars {
    /// The cluster's name.
    pub cluster: String,
    /// `zk://ip:2181,…/mesos`, or `ip:5050` with one master.
    pub cluster_url: String,
    /// Whether there are ZooKeepers.
    pub has_zookeeper: bool,
    /// `ip:2181,…`; empty without ZooKeeper.
    pub zookeeper_connect: String,
    /// The Mesos masters.
    pub masters: Vec<NodeVars>,
    /// The Mesos slaves.
    pub slaves: Vec<NodeVars>,
    /// The ZooKeeper servers; their `id` is what `myid` holds.
    pub zookeepers: Vec<NodeVars>,
    /// The first master.
    pub active_master: NodeVars,
    /// Majority of the masters.
    pub quorum: u16,
    /// Folders of the ephemeral datanodes, separated by commas.
    pub hdfs_data_dirs: String,
    /// Folders of MapReduce, separated by commas.
    pub mapred_local_dirs: String,
    /// Replication of the ephemeral HDFS.
    pub ephemeral_replication: usize,
    /// Replication of the persistent HDFS.
    pub persistent_replication: usize,
    /// Heap of an HDFS daemon, MiB.
    pub hdfs_heap_mb: u32,
    /// Heap of a ZooKeeper server, MiB.
    pub zookeeper_heap_mb: u32,
    /// Swap of every node, MiB.
    pub swap_mb: u32,
    /// The operating system, as the user named it.
    pub os: String,
    /// `none`, `tarball` or `git`.
    pub download: String,
    /// The branch that Mesos is built from; empty if it is not.
    pub branch: String,
    /// Who logs in.
    pub login_user: String,
    /// Further flags of every Mesos master.
    pub mesos_master_flags: Vec<String>,
    /// Further flags of every Mesos agent.
    pub mesos_agent_flags: Vec<String>,
    /// Who may mount `/mnt/nfs`: the range of the cluster's addresses, where there is one, or each node's.
    pub nfs_clients: Vec<String>,
    /// `kernel` or `ganesha`; `auto` until the first master was looked at.
    pub nfs_server: String,
    /// Home of the Java runtime.
    pub java_home: String,
    /// There where Spark keeps event logs, and the first master has its history server: `{% if spark_history is defined %}`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spark_history: bool,
}

/// A node as the templates see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeVars {
    /// Its host name.
    pub name: String,
    /// Its address inside the cluster.
    pub private_ip: String,
    /// Its address from outside, or the private one.
    pub public_ip: String,
    /// Its number within its role, from 1.
    pub id: u16,
}

impl From<&Node> for NodeVars {
    fn from(node: &Node) -> Self {
        Self {
            name: node.name.clone(),
            private_ip: node.private_ip.to_string(),
            public_ip: node.public_ip.unwrap_or(node.private_ip).to_string(),
            id: node.index,
        }
    }
}

impl DeployVars {
    /// The variables of a cluster whose slaves have so many ephemeral disks, and whose nodes, those that join it later too, have
    /// addresses in that range.
    pub fn new(spec: &ClusterSpec, inventory: &Inventory, disks: usize, range: Option<IpNet>) -> Self {
        let list = |nodes: &[Node]| nodes.iter().map(NodeVars::from).collect::<Vec<_>>();
        let [ephemeral_replication, persistent_replication] = replications(inventory.slaves.len());
        Self {
            cluster: spec.cluster.clone(),
            cluster_url: inventory.cluster_url(),
            has_zookeeper: !inventory.zookeepers.is_empty(),
            zookeeper_connect: inventory.zookeeper_connect(),
            masters: list(&inventory.masters),
            slaves: list(&inventory.slaves),
            zookeepers: list(&inventory.zookeepers),
            active_master: NodeVars::from(inventory.first_master()),
            quorum: spec.quorum(),
            hdfs_data_dirs: per_disk(disks, "ephemeral-hdfs/data"),
            mapred_local_dirs: mapred_dirs(disks),
            ephemeral_replication,
            persistent_replication,
            hdfs_heap_mb: spec.hdfs.heap_mb,
            zookeeper_heap_mb: spec.zookeeper.heap_mb,
            swap_mb: spec.swap_mb,
            os: spec.os.clone(),
            download: spec.mesos.source.as_str().to_owned(),
            branch: spec.mesos.branch.clone().unwrap_or_default(),
            login_user: inventory.first_master().user.clone(),
            mesos_master_flags: spec.mesos.master_flags.clone(),
            mesos_agent_flags: agent_flags(spec),
            nfs_clients: match range {
                Some(range) => vec![range.to_string()],
                None => inventory.all().map(|node| node.private_ip.to_string()).collect(),
            },
            nfs_server: spec.shared_volume.server.as_str().to_owned(),
            java_home: JAVA_HOME.to_owned(),
            spark_history: spec.spark.history,
        }
    }
}

/// How many copies of a new file so many slaves keep, in the ephemeral and in the persistent HDFS.
pub fn replications(slaves: usize) -> [usize; 2] {
    [EPHEMERAL_REPLICATION, PERSISTENT_REPLICATION].map(|wanted| wanted.min(slaves))
}

/// A container is no place for cgroups of one's own: the agent must neither make any nor ask systemd to.
fn agent_flags(spec: &ClusterSpec) -> Vec<String> {
    let needed: &[&str] = match spec.provider.is_here() {
        true => &["--launcher=posix", "--no-systemd_enable_support"],
        false => &[],
    };
    needed
        .iter()
        .map(|flag| (*flag).to_owned())
        .chain(spec.mesos.agent_flags.iter().cloned())
        .collect()
}

/// `/mnt`, `/mnt2`, … for each ephemeral disk; `/mnt` on the root disk where there is none.
pub(crate) fn mount_points(disks: usize) -> Vec<String> {
    (1..=disks.max(1))
        .map(|n| {
            if n == 1 {
                "/mnt".to_owned()
            } else {
                format!("/mnt{n}")
            }
        })
        .collect()
}

fn per_disk(disks: usize, folder: &str) -> String {
    mount_points(disks)
        .iter()
        .map(|mount| format!("{mount}/{folder}"))
        .collect::<Vec<_>>()
        .join(",")
}

/// `/mnt/hadoop/mrlocal` and `/mnt/hadoop/mrlocal2`, and one more for each further disk.
fn mapred_dirs(disks: usize) -> String {
    let further = mount_points(disks)
        .into_iter()
        .skip(1)
        .map(|mount| format!("{mount}/hadoop/mrlocal"));
    [
        "/mnt/hadoop/mrlocal".to_owned(),
        "/mnt/hadoop/mrlocal2".to_owned(),
    ]
    .into_iter()
    .chain(further)
    .collect::<Vec<_>>()
    .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ephemeral_disk_holds_a_folder_of_its_own() {
        assert_eq!(per_disk(0, "ephemeral-hdfs/data"), "/mnt/ephemeral-hdfs/data");
        assert_eq!(per_disk(1, "ephemeral-hdfs/data"), "/mnt/ephemeral-hdfs/data");
        assert_eq!(per_disk(3, "x"), "/mnt/x,/mnt2/x,/mnt3/x");
        assert_eq!(
            mapred_dirs(2),
            "/mnt/hadoop/mrlocal,/mnt/hadoop/mrlocal2,/mnt2/hadoop/mrlocal"
        );
    }
}
