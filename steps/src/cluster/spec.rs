//! What the user asks for: the spec, which is also the shape of the configuration file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Ec2Spec, HostsSpec, Member, ProviderKind, Role, SoftwareSource, SoftwareSpec};

/// Everything that defines a cluster; frozen into the journal when its run starts.
///
/// It is also the shape of `mesosflow.toml`: every field has a default, unknown ones are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterSpec {
    /// The cluster's name: a host name label.
    pub cluster: String,
    /// Where the nodes come from.
    pub provider: ProviderKind,
    /// Mesos masters. Three ZooKeepers come with more than one.
    pub masters: u16,
    /// Mesos slaves.
    pub slaves: u16,
    /// The operating system of the nodes, handed over to the deployed scripts.
    pub os: String,
    /// Swap on every node, MiB; 0 for none.
    pub swap_mb: u32,
    /// A folder laid over the embedded deploy tree, rendered in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy_dir: Option<PathBuf>,
    /// Another place of the archive with Hadoop and Spark than PyPI; it has to be the same archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_url: Option<String>,
    /// Where Mesos comes from.
    pub mesos: MesosSpec,
    /// Spark and the Hadoop framework.
    pub frameworks: FrameworksSpec,
    /// Where Spark comes from, and how it is used.
    pub spark: SparkSpec,
    /// Where Hadoop comes from: the servers of both HDFS.
    #[serde(skip_serializing_if = "SoftwareSpec::is_default")]
    pub hadoop: SoftwareSpec,
    /// Both HDFS.
    pub hdfs: HdfsSpec,
    /// ZooKeeper.
    pub zookeeper: ZookeeperSpec,
    /// Further disks of every node.
    pub disks: DisksSpec,
    /// `/mnt/nfs`.
    pub shared_volume: SharedVolumeSpec,
    /// How nodes reach one another.
    #[serde(skip_serializing_if = "SshSpec::is_default")]
    pub ssh: SshSpec,
    /// What only the local provider needs.
    pub local: LocalSpec,
    /// What only the EC2 provider needs.
    pub ec2: Ec2Spec,
    /// Machines of one's own.
    pub hosts: HostsSpec,
    /// The slaves by their numbers, once they are not 1 to `slaves` any more; whatever a file says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Member>>,
    /// Whose journal makes everything; known when a run starts, whatever a file says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_by: Option<MadeBy>,
}

/// Whose journal makes a thing, in the tags of that thing: who has lost his journal finds his machines by it. It is frozen with
/// the run, so that a launch which another user or host repeats is the same call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeBy {
    /// The journal's id; a copy of the journal has the same.
    pub journal: String,
    /// [`MadeBy::digest`] of who began the run.
    pub user: String,
}

impl MadeBy {
    /// Digest of a user and a host, 16 hexadecimal digits: tells one's own from others', and names nobody to who reads the tags.
    pub fn digest(user: &str, host: &str) -> String {
        let mut digest = hex::encode(Sha256::digest(format!("{user}@{host}")));
        digest.truncate(16);
        digest
    }
}

impl Default for ClusterSpec {
    fn default() -> Self {
        Self {
            cluster: "demo".into(),
            provider: ProviderKind::Local,
            masters: 3,
            slaves: 2,
            os: "debian12".into(),
            swap_mb: 0,
            deploy_dir: None,
            archive_url: None,
            mesos: MesosSpec::default(),
            frameworks: FrameworksSpec::default(),
            spark: SparkSpec::default(),
            hadoop: SoftwareSpec::default(),
            hdfs: HdfsSpec::default(),
            zookeeper: ZookeeperSpec::default(),
            disks: DisksSpec::default(),
            shared_volume: SharedVolumeSpec::default(),
            ssh: SshSpec::default(),
            local: LocalSpec::default(),
            ec2: Ec2Spec::default(),
            hosts: HostsSpec::default(),
            members: None,
            made_by: None,
        }
    }
}

/// Where Mesos comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MesosSource {
    /// It is on the image already, under `/root/mesos`.
    #[default]
    None,
    /// A tarball of what `make install` gives, by path or URL.
    Tarball,
    /// A git repository, built on the first master.
    Git,
}

impl MesosSource {
    /// The word for it in the config.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Tarball => "tarball",
            Self::Git => "git",
        }
    }
}

/// The `[mesos]` table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MesosSpec {
    /// Which of the ways below.
    pub source: MesosSource,
    /// `tarball`: an absolute path on this machine, or an `http(s)://` URL that the first master fetches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `tarball`: its SHA-256, hex; checked when given, and needed for an `http://` URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// `git`: the repository's URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// `git`: the branch, tag or commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// A netrc file on this machine, for a server that asks for a password: only the program that fetches gets to read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netrc: Option<PathBuf>,
    /// Instead of the file, the name of an environment variable of mesosflow that holds the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netrc_env: Option<String>,
    /// `git`: arguments of `configure`, beside `--prefix`.
    pub configure_flags: Vec<String>,
    /// Further flags of every master, such as `--authenticate_frameworks=false`.
    pub master_flags: Vec<String>,
    /// Further flags of every agent.
    pub agent_flags: Vec<String>,
    /// Operating-system packages that this Mesos needs on masters and slaves.
    pub packages: Vec<String>,
}

/// The `[frameworks]` table: what `framework-config` configures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FrameworksSpec {
    /// Spark, as it is on the image under `/root/spark`.
    pub spark: bool,
    /// The Hadoop framework's configuration (MapReduce on Mesos).
    pub hadoop: bool,
}

impl Default for FrameworksSpec {
    fn default() -> Self {
        Self {
            spark: true,
            hadoop: true,
        }
    }
}

/// The `[spark]` table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SparkSpec {
    /// Whether `cluster-health` runs a job that writes to both HDFS: some ten seconds.
    pub check: bool,
    /// Whether jobs keep event logs in the persistent HDFS, which a server on the first master shows.
    pub history: bool,
    /// Where it comes from; this and the two below as in [`SoftwareSpec`].
    #[serde(skip_serializing_if = "SoftwareSource::is_default")]
    pub source: SoftwareSource,
    /// `url`: the tarball.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `url`: its SHA-256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl SparkSpec {
    /// Where it comes from.
    pub fn software(&self) -> SoftwareSpec {
        SoftwareSpec {
            source: self.source,
            url: self.url.clone(),
            sha256: self.sha256.clone(),
        }
    }
}

impl Default for SparkSpec {
    fn default() -> Self {
        Self {
            check: true,
            history: false,
            source: SoftwareSource::default(),
            url: None,
            sha256: None,
        }
    }
}

/// The `[hdfs]` table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HdfsSpec {
    /// Heap of each HDFS daemon, MiB.
    pub heap_mb: u32,
}

impl Default for HdfsSpec {
    fn default() -> Self {
        Self { heap_mb: 256 }
    }
}

/// The `[zookeeper]` table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ZookeeperSpec {
    /// Heap of each server, MiB.
    pub heap_mb: u32,
}

impl Default for ZookeeperSpec {
    fn default() -> Self {
        Self { heap_mb: 128 }
    }
}

/// The `[disks]` table: block devices that every node has beside its root disk, as paths. None by default: local nodes
/// share the disk of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DisksSpec {
    /// Disks that a stop of the node may wipe: ext4 on `/mnt`, `/mnt2`, …
    pub ephemeral: Vec<String>,
    /// The disk of the persistent HDFS: xfs on `/vol`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
}

/// The `[shared_volume]` table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SharedVolumeSpec {
    /// What serves NFS.
    pub server: NfsServerChoice,
    /// What mounts it where the kernel has no NFS client; by default `sshfs` on local nodes, `none` elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<MountFallback>,
}

/// What serves NFS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NfsServerChoice {
    /// The kernel's server where the first master's kernel has one, else nfs-ganesha.
    #[default]
    Auto,
    /// The kernel's server.
    Kernel,
    /// nfs-ganesha, in user space.
    Ganesha,
}

impl NfsServerChoice {
    /// The word for it in the config.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Kernel => "kernel",
            Self::Ganesha => "ganesha",
        }
    }
}

/// What mounts the shared volume where the kernel has no NFS client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountFallback {
    /// Nothing: the step fails.
    None,
    /// A read-only mount over SSH.
    Sshfs,
}

/// The `[ssh]` table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SshSpec {
    /// Whether every node gets the key that opens all nodes, and not only the masters: then root of one node is root of all.
    pub key_on_every_node: bool,
}

impl SshSpec {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The `[local]` table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocalSpec {
    /// `podman` or `docker`, or a path to one; found by itself when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Global arguments of the engine; when absent, what this machine needs is detected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_args: Option<Vec<String>>,
    /// Further arguments for making a node; when absent, what this machine needs is detected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_args: Option<Vec<String>>,
    /// An image to use instead of the one that mesosflow builds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

impl ClusterSpec {
    /// The swap that a node gets, MiB. One that is a container would give it to the whole machine, and leave it there.
    pub const fn swap_of_node(&self) -> u32 {
        match self.provider {
            ProviderKind::Local => 0,
            ProviderKind::Ec2 | ProviderKind::Hosts => self.swap_mb,
        }
    }

    /// What is asked of EC2, where the machines come from there.
    pub fn of_ec2(&self) -> Option<&Ec2Spec> {
        (self.provider == ProviderKind::Ec2).then_some(&self.ec2)
    }

    /// What the user says of machines of their own, where the cluster is made of these.
    pub fn of_hosts(&self) -> Option<&HostsSpec> {
        (self.provider == ProviderKind::Hosts).then_some(&self.hosts)
    }

    /// ZooKeeper servers: three with more than one master, otherwise none (notes 1.4).
    pub const fn zookeepers(&self) -> u16 {
        if self.masters > 1 { 3 } else { 0 }
    }

    /// The roles that the cluster has machines of.
    pub fn roles(&self) -> Vec<Role> {
        let mut roles = vec![Role::Master, Role::Slave];
        if self.zookeepers() > 0 {
            roles.push(Role::Zookeeper);
        }
        roles
    }

    /// How many masters make the majority that Mesos' registry needs.
    pub const fn quorum(&self) -> u16 {
        self.masters / 2 + 1
    }

    /// What mounts the shared volume where the kernel cannot.
    pub fn mount_fallback(&self) -> MountFallback {
        self.shared_volume
            .fallback
            .unwrap_or(match self.provider.is_here() {
                true => MountFallback::Sshfs,
                false => MountFallback::None,
            })
    }
}
