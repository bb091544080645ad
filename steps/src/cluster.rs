//! What the user asks for, and what a cluster is made of: the spec, roles, nodes.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::remote::HostKey;

/// Port of the Mesos master.
pub const MESOS_MASTER_PORT: u16 = 5050;
/// Port that ZooKeeper's clients use.
pub const ZOOKEEPER_PORT: u16 = 2181;
/// The longest name of a cluster, so that a node's name (`<cluster>-zookeeper-3`) stays a host name label (RFC 1123: 63).
pub const MAX_CLUSTER_NAME: usize = 40;
/// The most nodes of one role; far above what one controller was ever asked for.
pub const MAX_NODES: u16 = 1000;

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
    /// Where Mesos comes from.
    pub mesos: MesosSpec,
    /// Spark and the Hadoop framework.
    pub frameworks: FrameworksSpec,
    /// Both HDFS.
    pub hdfs: HdfsSpec,
    /// ZooKeeper.
    pub zookeeper: ZookeeperSpec,
    /// Further disks of every node.
    pub disks: DisksSpec,
    /// `/mnt/nfs`.
    pub shared_volume: SharedVolumeSpec,
    /// What only the local provider needs.
    pub local: LocalSpec,
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
            mesos: MesosSpec::default(),
            frameworks: FrameworksSpec::default(),
            hdfs: HdfsSpec::default(),
            zookeeper: ZookeeperSpec::default(),
            disks: DisksSpec::default(),
            shared_volume: SharedVolumeSpec::default(),
            local: LocalSpec::default(),
        }
    }
}

/// Where nodes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// Containers of this machine's engine.
    Local,
}

impl ProviderKind {
    /// The word for it on the command line, in the config and in the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
        }
    }
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
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
    /// `tarball`: its SHA-256, hex; checked when given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// `git`: the repository's URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// `git`: the branch, tag or commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
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
        Self { spark: true, hadoop: true }
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

/// What is wrong with a spec, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {problem}")]
pub struct SpecError {
    /// The field, as it is called in the config.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub hint: String,
}

impl ClusterSpec {
    /// ZooKeeper servers: three with more than one master, otherwise none (notes 1.4).
    pub const fn zookeepers(&self) -> u16 {
        if self.masters > 1 { 3 } else { 0 }
    }

    /// How many masters make the majority that Mesos' registry needs.
    pub const fn quorum(&self) -> u16 {
        self.masters / 2 + 1
    }

    /// What mounts the shared volume where the kernel cannot.
    pub fn mount_fallback(&self) -> MountFallback {
        self.shared_volume.fallback.unwrap_or(match self.provider {
            ProviderKind::Local => MountFallback::Sshfs,
        })
    }

    /// Checks everything that can be known before anything is touched.
    ///
    /// # Errors
    /// The first field that cannot work. On success, what works but should be known.
    pub fn validate(&self) -> Result<Vec<String>, SpecError> {
        let wrong = |field, problem: String, hint: &str| Err(SpecError { field, problem, hint: hint.to_owned() });
        if let Err(problem) = check_host_label(&self.cluster) {
            return wrong(
                "cluster",
                problem,
                "choose a name of lower-case letters, digits and inner hyphens, such as `demo`",
            );
        }
        if self.masters == 0 {
            return wrong("masters", "is 0: a cluster without a master is none".into(), "use 1, or 3 to survive the loss of one");
        }
        if self.slaves == 0 {
            return wrong("slaves", "is 0: there would be nothing to run tasks or hold blocks".into(), "use 1 or more");
        }
        for (field, count) in [("masters", self.masters), ("slaves", self.slaves)] {
            if count > MAX_NODES {
                return wrong(field, format!("is {count}, more than {MAX_NODES}"), "use a smaller cluster");
            }
        }
        self.mesos.validate()?;
        if let Some(dir) = &self.deploy_dir
            && !dir.is_dir()
        {
            return wrong("deploy_dir", format!("is not a folder: {}", dir.display()), "name a folder, or leave it out");
        }
        for device in self.disks.ephemeral.iter().chain(&self.disks.volume) {
            if !device.starts_with("/dev/") || device.contains(char::is_whitespace) {
                return wrong("disks", format!("names {device:?}, which is no device"), "use paths such as `/dev/nvme1n1`");
            }
        }
        if self.hdfs.heap_mb < 64 {
            return wrong("hdfs.heap_mb", format!("is {}: no daemon starts with that", self.hdfs.heap_mb), "use 128 or more");
        }
        if self.zookeeper.heap_mb < 32 {
            return wrong("zookeeper.heap_mb", format!("is {}", self.zookeeper.heap_mb), "use 64 or more");
        }
        let mut warnings = Vec::new();
        if self.masters.is_multiple_of(2) {
            warnings.push(format!(
                "{} masters need {} of them alive and survive the loss of {}; {} would be as safe, {} safer",
                self.masters,
                self.quorum(),
                self.masters - self.quorum(),
                self.masters - 1,
                self.masters + 1
            ));
        }
        Ok(warnings)
    }
}

impl MesosSpec {
    fn validate(&self) -> Result<(), SpecError> {
        let wrong = |field, problem: &str, hint: &str| {
            Err(SpecError { field, problem: problem.to_owned(), hint: hint.to_owned() })
        };
        match self.source {
            MesosSource::None => {}
            MesosSource::Tarball => {
                let Some(url) = &self.url else {
                    return wrong("mesos.url", "is missing", "name the tarball: a path, or an http(s):// URL");
                };
                let remote = url.starts_with("http://") || url.starts_with("https://");
                if !remote && !std::path::Path::new(url).is_file() {
                    return wrong("mesos.url", &format!("is not a file: {url}"), "name an existing tarball, or an http(s):// URL");
                }
            }
            MesosSource::Git if self.repository.is_none() => {
                return wrong("mesos.repository", "is missing", "name the git repository to build from");
            }
            MesosSource::Git if self.branch.is_none() => {
                return wrong("mesos.branch", "is missing", "name the branch or tag to build");
            }
            MesosSource::Git => {}
        }
        if let Some(sha256) = &self.sha256
            && (sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            return wrong("mesos.sha256", "is not 64 hexadecimal digits", "give what `sha256sum` prints for the tarball");
        }
        for (field, flags) in [("mesos.master_flags", &self.master_flags), ("mesos.agent_flags", &self.agent_flags)] {
            // They stand in single quotes in a systemd unit, where a quote or a line break would end them.
            if let Some(bad) = flags.iter().find(|f| !f.starts_with("--") || f.contains(['\'', '\n', '\\', '%'])) {
                return wrong(field, &format!("holds {bad:?}, which is no plain flag"), "write `--name=value`");
            }
        }
        for package in &self.packages {
            // Debian policy 5.6.1: lower-case letters, digits, plus, minus, full stop, beginning with one of the first two.
            let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b);
            if !package.bytes().all(known) || !package.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                return wrong("mesos.packages", &format!("holds `{package}`, which is no package name"), "use names of the nodes' packages");
            }
        }
        Ok(())
    }
}

/// RFC 1123 host name label, in lower case, short enough for a node's suffix.
fn check_host_label(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("is empty".into());
    }
    if name.len() > MAX_CLUSTER_NAME {
        return Err(format!("is {} characters long, more than {MAX_CLUSTER_NAME}", name.chars().count()));
    }
    if let Some(bad) = name.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
        return Err(format!("is no host name: {name:?} has {bad:?}"));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err(format!("is no host name: {name:?} begins or ends with a hyphen"));
    }
    Ok(())
}

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
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
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
        let mut inventory = Self { masters: Vec::new(), slaves: Vec::new(), zookeepers: Vec::new() };
        for node in nodes {
            match node.role {
                Role::Master => inventory.masters.push(node),
                Role::Slave => inventory.slaves.push(node),
                Role::Zookeeper => inventory.zookeepers.push(node),
            }
        }
        for list in [&mut inventory.masters, &mut inventory.slaves, &mut inventory.zookeepers] {
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
        format!("zk://{}/mesos", self.zookeeper_connect())
    }

    /// ZooKeeper's connect string, `ip:2181,…`; empty without ZooKeeper.
    pub fn zookeeper_connect(&self) -> String {
        let servers: Vec<_> = self.zookeepers.iter().map(|z| format!("{}:{ZOOKEEPER_PORT}", z.private_ip)).collect();
        servers.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut ClusterSpec)) -> SpecError {
        let mut spec = ClusterSpec::default();
        change(&mut spec);
        spec.validate().unwrap_err()
    }

    #[test]
    fn the_default_spec_is_the_demo_of_three_masters_and_two_slaves() {
        let spec = ClusterSpec::default();
        assert_eq!((spec.masters, spec.quorum(), spec.zookeepers(), spec.slaves), (3, 2, 3, 2));
        assert_eq!(spec.validate().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_work_is_refused_by_the_name_of_its_field() {
        assert_eq!(refused(|s| s.slaves = 0).field, "slaves");
        assert_eq!(refused(|s| s.masters = 0).field, "masters");
        for name in ["", "a b", "x;reboot", "-a", "a-", "Demo", &"a".repeat(300), "ä", "a\nb", "$(id)"] {
            assert_eq!(refused(|s| s.cluster = name.to_owned()).field, "cluster", "{name:?}");
        }
        assert_eq!(refused(|s| s.mesos.source = MesosSource::Tarball).field, "mesos.url");
        assert_eq!(refused(|s| s.mesos.sha256 = Some("abc".into())).field, "mesos.sha256");
        assert_eq!(refused(|s| s.mesos.packages = vec!["a;b".into()]).field, "mesos.packages");
    }

    #[test]
    fn an_even_number_of_masters_is_warned_about() {
        let spec = ClusterSpec { masters: 2, ..ClusterSpec::default() };
        let warnings = spec.validate().unwrap();
        assert!(warnings[0].contains("2 masters need 2 of them alive and survive the loss of 0"), "{warnings:?}");
    }

    #[test]
    fn a_single_master_needs_no_zookeeper() {
        let spec = ClusterSpec { masters: 1, ..ClusterSpec::default() };
        assert_eq!((spec.quorum(), spec.zookeepers()), (1, 0));
    }
}
