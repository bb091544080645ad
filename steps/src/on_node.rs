//! What a node has of mesosflow's, by name: folders, files and units.

/// What nodes reach one another with, in a folder of its own: no file of the user's is ever replaced.
pub const SSH_FOLDER: &str = "/root/.ssh/mesosflow";
/// The private key on the nodes: on masters the one that opens all of them, elsewhere that of the role.
pub const KEY_PATH: &str = "/root/.ssh/mesosflow/id_ed25519";
/// The pinned host keys of the cluster.
pub const KNOWN_HOSTS_PATH: &str = "/root/.ssh/mesosflow/known_hosts";
/// The client's configuration: `ssh -F /root/.ssh/mesosflow/config demo-slave-1`.
pub const SSH_CONFIG_PATH: &str = "/root/.ssh/mesosflow/config";
/// What the other roles get at [`SSH_FOLDER`], a folder for each, on the masters.
pub const ROLES_FOLDER: &str = "/root/.ssh/mesosflow-roles";
/// Only pinned keys, never a question, never silence without end.
pub const SSH_CONFIG: &str = "\
IdentityFile /root/.ssh/mesosflow/id_ed25519
IdentitiesOnly yes
UserKnownHostsFile /root/.ssh/mesosflow/known_hosts
GlobalKnownHostsFile none
StrictHostKeyChecking yes
BatchMode yes
ConnectTimeout 10
ServerAliveInterval 15
ServerAliveCountMax 4
";
/// The lists, scripts, units and options that every node has.
pub const SCRIPTS_FOLDER: &str = "/root/mesos-ec2";

/// The configuration of both HDFS.
pub const HDFS_CONF: [&str; 2] = ["/root/ephemeral-hdfs/conf", "/root/persistent-hdfs/conf"];
/// The configuration of Spark.
pub const SPARK_CONF: &str = "/root/spark/conf";
/// Mesos, in the layout of `make install`.
pub const MESOS: &str = "/root/mesos";
/// Beside it, while another one is rolled out: the one that takes its place.
pub const NEXT_MESOS: &str = "/root/.mesosflow-mesos.next";
/// The one that had its place before.
pub const FORMER_MESOS: &str = "/root/.mesosflow-mesos.former";

/// The daemons of every role, in the order in which they are stopped for good: nothing is asked of one that is gone already.
pub const UNITS: [&str; 11] = [
    "mesosflow-shared-volume.service",
    "mesos-slave.service",
    "mesos-master.service",
    "mesosflow-spark-history.service",
    "ephemeral-hdfs-datanode.service",
    "persistent-hdfs-datanode.service",
    "persistent-hdfs-secondarynamenode.service",
    "ephemeral-hdfs-namenode.service",
    "persistent-hdfs-namenode.service",
    "mesosflow-zookeeper.service",
    "mesosflow-nfs-ganesha.service",
];

/// What runs by itself on a node: the boot script's units, which would start others again, and the daemons'.
pub(crate) fn units() -> String {
    [&ROLE_UNITS[..], &UNITS].concat().join(" ")
}

/// The boot script, as a command of the node's.
pub(crate) const ROLE_COMMAND: &str = "/usr/local/sbin/mesosflow-role";
/// The file that says which cluster a node is of.
pub(crate) const CLUSTER_FILE: &str = "/etc/mesosflow/cluster";
/// The units of the boot script: whenever the node may have another address, and at boot.
pub(crate) const ROLE_UNITS: [&str; 3] = [
    "mesosflow-role-again.timer",
    "mesosflow-role-again.service",
    "mesosflow-role.service",
];
/// The cluster's names, as lines of `/etc/hosts`.
pub(crate) const NAMES_LIST: &str = "/etc/mesosflow/hosts";
/// Puts the cluster's names into `/etc/hosts`; the boot script calls it too.
pub(crate) const NAMES_FILE: &str = "/etc/mesosflow/names";
/// The unit that does so at each boot.
pub(crate) const NAMES_UNIT: &str = "mesosflow-names.service";

/// What is left on a host: the table as a file, and the unit that loads it.
pub(crate) const FIREWALL_FILE: &str = "/etc/mesosflow/firewall.nft";
/// The unit's name.
pub(crate) const FIREWALL_UNIT: &str = "mesosflow-firewall.service";
/// An addition to the system's own service; harmless where there is none, and it never makes that one fail.
pub(crate) const FIREWALL_ADDITION: &str = "/etc/systemd/system/nftables.service.d/mesosflow.conf";

/// What the deployed tree once had and the roles have now, by its path in an overlay: there it would have no effect.
pub(crate) const MOVED_TO_ROLES: [&str; 5] = [
    "root/mesos-ec2/units/mesos-master.service",
    "root/mesos-ec2/units/mesos-slave.service",
    "root/mesos-ec2/scripts/agent-identity",
    "root/mesos-ec2/scripts/container-logger",
    "root/mesos-ec2/scripts/tidy-logs",
];
/// What to do instead.
pub(crate) const MOVED_HINT: &str = "flags are files in /etc/mesos-master and /etc/mesos-slave on the nodes, or `master_flags` and `agent_flags` \
     under [mesos]; additions to a unit go to /etc/systemd/system/UNIT.d; docs/roles.md has the rest";
/// Where the kernel hears at boot which ports the node's own connections do not get. Whoever says it later, says it instead.
pub(crate) const KEPT_PORTS: &str = "/etc/sysctl.d/99-zz-mesosflow.conf";
