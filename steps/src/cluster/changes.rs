//! Which keys of a configuration can be given other values while their cluster lives, and why others cannot.

use super::{MesosSpec, flag_value};

/// What another value of a key comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is carried out on what there is.
    Now,
    /// It counts for what is launched, fetched or waited for from then on.
    Later,
    /// It cannot be; why, and what to do instead.
    Never {
        /// Why.
        why: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
}

const fn never(why: &'static str, instead: &'static str) -> Change {
    Change::Never { why, instead }
}

const ANOTHER_CLUSTER: &str = "bring up another cluster with it: `mesosflow run --cluster NAME`";
const REDEPLOY: Change = never(
    "another Mesos is rolled out by itself",
    "`mesosflow redeploy` takes it",
);
const MACHINES: Change = never("the machines that there are were made with it", ANOTHER_CLUSTER);
const ENGINE: Change = never(
    "the nodes are this engine's containers, made with it",
    ANOTHER_CLUSTER,
);
const PLACE: Change = never("its machines are there", ANOTHER_CLUSTER);
const SOFTWARE: Change = never(
    "it was laid out when the nodes were set up, and both HDFS live in it",
    ANOTHER_CLUSTER,
);
const DISKS: Change = never(
    "disks are made when a node is set up, and hold data",
    ANOTHER_CLUSTER,
);

/// Flags of the daemons that stay as they are, by their key: why, and what to do instead.
const FIXED: [(&str, &str, &str, &str); 9] = [
    (
        MASTER_FLAGS,
        "quorum",
        "it follows from the number of masters",
        LEAVE_OUT,
    ),
    (
        MASTER_FLAGS,
        "zk",
        "it follows from the cluster's ZooKeepers",
        LEAVE_OUT,
    ),
    (
        AGENT_FLAGS,
        "master",
        "it follows from the cluster's masters",
        LEAVE_OUT,
    ),
    (
        MASTER_FLAGS,
        "work_dir",
        "the masters' copies of the registry are there",
        AS_IT_WAS,
    ),
    (
        MASTER_FLAGS,
        "registry",
        "who is registered is known by the one that there is",
        AS_IT_WAS,
    ),
    (
        MASTER_FLAGS,
        "port",
        "agents, frameworks and mesosflow find the masters there",
        AS_IT_WAS,
    ),
    (
        AGENT_FLAGS,
        "work_dir",
        "what an agent knows of its tasks is there",
        AS_IT_WAS,
    ),
    (
        AGENT_FLAGS,
        "port",
        "masters and mesosflow find the agents there",
        AS_IT_WAS,
    ),
    (
        AGENT_FLAGS,
        "runtime_dir",
        "what an agent knows of its containers is there",
        AS_IT_WAS,
    ),
];
const LEAVE_OUT: &str = "leave it out: the nodes find it at each boot";
const AS_IT_WAS: &str =
    "leave that flag as it was, or bring up another cluster with it: `mesosflow run --cluster NAME`";
const MASTER_FLAGS: &str = "mesos.master_flags";
const AGENT_FLAGS: &str = "mesos.agent_flags";

/// A flag that stays as it is while its cluster lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedFlag {
    /// The key of the list that it is in.
    pub key: &'static str,
    /// Its name, without dashes.
    pub name: &'static str,
    /// Why it stays.
    pub why: &'static str,
    /// What to do instead.
    pub instead: &'static str,
}

/// The fixed flags that these two differ in.
pub fn fixed_flags(before: &MesosSpec, after: &MesosSpec) -> Vec<FixedFlag> {
    let of = |mesos: &MesosSpec, flag: &FixedFlag| {
        let all = match flag.key {
            AGENT_FLAGS => &mesos.agent_flags,
            _ => &mesos.master_flags,
        };
        flag_value(all, flag.name).map(str::to_owned)
    };
    let all = FIXED.map(|(key, name, why, instead)| FixedFlag {
        key,
        name,
        why,
        instead,
    });
    let differ = all.into_iter().filter(|flag| of(before, flag) != of(after, flag));
    differ.collect()
}

/// Every key of a file, but for those of listed hosts, which stand under one.
const KEYS: &[(&str, Change)] = &[
    (
        "cluster",
        never(
            "everything that there is of it bears its name",
            "name the cluster that is meant, or bring up another one",
        ),
    ),
    (
        "provider",
        never("its machines are that provider's", ANOTHER_CLUSTER),
    ),
    (
        "masters",
        never(
            "the majority of Mesos' registry and the ZooKeepers follow from it",
            ANOTHER_CLUSTER,
        ),
    ),
    (
        "slaves",
        never(
            "slaves come and go by commands of their own",
            "`mesosflow add-slaves N`, `mesosflow remove-slaves NAME`",
        ),
    ),
    (
        "os",
        never("the machines that there are run that system", ANOTHER_CLUSTER),
    ),
    ("swap_mb", Change::Now),
    ("deploy_dir", Change::Now),
    ("archive_url", Change::Later),
    ("mesos.source", REDEPLOY),
    ("mesos.url", REDEPLOY),
    ("mesos.sha256", REDEPLOY),
    ("mesos.repository", REDEPLOY),
    ("mesos.branch", REDEPLOY),
    ("mesos.configure_flags", REDEPLOY),
    (
        "mesos.packages",
        never(
            "packages are installed together with the Mesos that needs them",
            "install them on the nodes: `mesosflow run-command`",
        ),
    ),
    ("mesos.netrc", Change::Later),
    ("mesos.netrc_env", Change::Later),
    (MASTER_FLAGS, Change::Now),
    (AGENT_FLAGS, Change::Now),
    ("frameworks.spark", Change::Now),
    ("frameworks.hadoop", Change::Now),
    ("spark.check", Change::Later),
    ("spark.history", Change::Now),
    ("spark.source", SOFTWARE),
    ("spark.url", SOFTWARE),
    ("spark.sha256", SOFTWARE),
    ("hadoop.source", SOFTWARE),
    ("hadoop.url", SOFTWARE),
    ("hadoop.sha256", SOFTWARE),
    ("hdfs.heap_mb", Change::Now),
    ("zookeeper.heap_mb", Change::Now),
    ("disks.ephemeral", DISKS),
    ("disks.volume", DISKS),
    (
        "shared_volume.server",
        never("two servers of the same folder would run then", ANOTHER_CLUSTER),
    ),
    (
        "shared_volume.fallback",
        never("what is mounted stays mounted as it is", ANOTHER_CLUSTER),
    ),
    (
        "ssh.key_on_every_node",
        never(
            "a key that was on a node may have been copied from there",
            ANOTHER_CLUSTER,
        ),
    ),
    ("local.engine", ENGINE),
    ("local.engine_args", ENGINE),
    ("local.run_args", ENGINE),
    ("local.image", ENGINE),
    ("ec2.region", PLACE),
    ("ec2.endpoint_url", PLACE),
    ("ec2.sts_endpoint_url", PLACE),
    ("ec2.profile", PLACE),
    ("ec2.account", PLACE),
    ("ec2.vpc", PLACE),
    ("ec2.subnet", PLACE),
    ("ec2.zone", PLACE),
    ("ec2.admin_cidr", Change::Now),
    ("ec2.ami", MACHINES),
    ("ec2.login_user", MACHINES),
    ("ec2.instance_type", MACHINES),
    ("ec2.master_instance_type", MACHINES),
    ("ec2.zookeeper_instance_type", MACHINES),
    ("ec2.key_pair", MACHINES),
    ("ec2.iam_profile", MACHINES),
    ("ec2.user_data", MACHINES),
    ("ec2.user_data_sha256", MACHINES),
    ("ec2.public_address", MACHINES),
    ("ec2.root_volume_gb", MACHINES),
    ("ec2.root_encrypted", MACHINES),
    ("ec2.kms_key", MACHINES),
    ("ec2.volume.size_gb", MACHINES),
    ("ec2.volume.type", MACHINES),
    ("ec2.volume.encrypted", MACHINES),
    ("ec2.spot_price", Change::Later),
    ("ec2.host_keys", MACHINES),
    ("ec2.tags", Change::Now),
    ("ec2.boot_limit_s", Change::Later),
    ("ec2.capacity_limit_s", Change::Later),
    ("ec2.api_timeout_s", Change::Later),
    ("ec2.settle_limit_s", Change::Later),
    (
        "hosts.identity_file",
        never(
            "the cluster has a key of its own since its hosts were taken up",
            "leave it as it is: it is not asked for any more",
        ),
    ),
    ("hosts.admin_cidr", Change::Now),
    (
        "hosts.firewall",
        never(
            "nobody takes a firewall off hosts that work",
            "`mesosflow destroy` takes it off, and `mesosflow run` begins with another one",
        ),
    ),
    (
        "hosts.nodes",
        never(
            "which hosts a cluster has is said when it begins",
            ANOTHER_CLUSTER,
        ),
    ),
];

/// The keys that are nobody's to give in a file.
const OF_NOBODY: [&str; 2] = ["members", "made_by"];

/// The key that a dotted path of a file counts as: hosts are listed under one.
fn counted(key: &str) -> &str {
    match key.strip_prefix("hosts.nodes.") {
        Some(_) => "hosts.nodes",
        None => key,
    }
}

/// What another value of a key comes to; none where it is no key of a file.
pub fn change_of(key: &str) -> Option<Change> {
    let key = counted(key);
    let known = KEYS.iter().find(|(known, _)| *known == key);
    known.map(|(_, change)| *change)
}

/// The keys of a file, in its order.
pub fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(key, _)| *key)
}

/// Whether a dotted path of the spec is nobody's to give in a file.
pub fn is_nobodys(key: &str) -> bool {
    let first = key.split('.').next().unwrap_or(key);
    OF_NOBODY.contains(&first)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_key_stands_once_and_a_refusal_says_what_to_do() {
        let all: BTreeSet<_> = keys().collect();
        assert_eq!(all.len(), KEYS.len());
        for (key, change) in KEYS {
            if let Change::Never { why, instead } = change {
                assert!(!why.is_empty() && !instead.is_empty(), "{key}");
            }
        }
        assert_eq!(change_of("hosts.nodes.port"), change_of("hosts.nodes"));
        assert_eq!(change_of("members"), None);
        assert!(is_nobodys("made_by.journal"));
    }
}
