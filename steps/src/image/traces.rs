//! What a cluster leaves on its nodes, and what becomes of each when a node is made fit to be an image: the one list, which a test
//! compares with what a real node has that its image had not.

use super::traces::Fate::{Data, Edited, Emptied, Kept, Memory, Removed, Sealed};
use crate::on_node;
use crate::on_node::{KEPT_PORTS, UNITS};
use crate::on_node::{ROLES_FOLDER, SCRIPTS_FOLDER, SSH_FOLDER};

/// What becomes of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes.
    Removed,
    /// It goes where it lies on the root disk, which becomes the image: another disk keeps all it has.
    Data,
    /// The folder stays, and what is in it goes.
    Emptied,
    /// What is of the cluster goes out of it.
    Edited,
    /// It goes last, together with the door: whoever does all this needs it.
    Sealed,
    /// It is what the image is for.
    Kept,
    /// It is in memory, and in no image.
    Memory,
}

/// Something that a cluster leaves on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// A path, or a pattern of the shell's; without spaces.
    pub path: &'static str,
    /// What becomes of it.
    pub fate: Fate,
    /// What it is, for people.
    pub what: &'static str,
}

const fn trace(fate: Fate, path: &'static str, what: &'static str) -> Trace {
    Trace { path, fate, what }
}

/// All of it, beside the [`units`].
pub const TRACES: [Trace; 65] = [
    trace(
        Removed,
        "/etc/mesosflow",
        "the node's own settings and its owner's mark",
    ),
    trace(
        Removed,
        "/etc/systemd/system/mnt-nfs.mount.d/mesosflow.conf",
        "an addition to the shared folder's mount",
    ),
    trace(
        Removed,
        "/etc/systemd/system/nfs-server.service.d/mesosflow.conf",
        "an addition to the NFS server",
    ),
    trace(
        Removed,
        "/etc/systemd/system/mesos-slave.service.d/mesosflow.conf",
        "an addition to the agent's unit",
    ),
    trace(Removed, on_node::FIREWALL_ADDITION, "an addition to nftables"),
    trace(Removed, KEPT_PORTS, "ports that are kept for the daemons"),
    trace(Removed, "/etc/exports.d/mesosflow.exports", "the NFS export"),
    trace(
        Removed,
        "/etc/nfs.conf.d/mesosflow.conf",
        "the NFS server's address",
    ),
    trace(Removed, "/etc/fstab.mesosflow", "half a change"),
    trace(Removed, "/etc/hosts.mesosflow", "half a change"),
    trace(Removed, "/nfs", "a link to the shared folder"),
    trace(Removed, SSH_FOLDER, "the node's key and the cluster's host keys"),
    trace(Removed, ROLES_FOLDER, "the other roles' keys"),
    trace(
        Removed,
        SCRIPTS_FOLDER,
        "the cluster's lists, scripts, units and configuration",
    ),
    trace(Removed, "/root/.mesosflow-build", "a build of Mesos"),
    trace(Removed, "/root/.mesosflow-mesos.new", "half a copy of Mesos"),
    trace(Removed, "/root/.mesosflow-mesos.old", "half a copy of Mesos"),
    trace(
        Removed,
        "/root/.mesosflow-mesos.next*",
        "a Mesos that was to be rolled out",
    ),
    trace(Removed, on_node::FORMER_MESOS, "the Mesos of before"),
    trace(
        Removed,
        "/var/lib/mesosflow",
        "the fence, jobs, archives and notes of the set-up",
    ),
    trace(
        Removed,
        "/var/lib/mesosflow-zookeeper",
        "ZooKeeper's number and data",
    ),
    trace(Removed, "/var/lib/mesosflow-java", "temporary files of Java"),
    trace(
        Removed,
        "/var/lib/nfs/ganesha",
        "what the NFS server knows of its clients",
    ),
    trace(Removed, "/tmp/zookeeper", "ZooKeeper's number for scripts"),
    trace(Removed, "/tmp/mesosflow-aside.*", "what had been in its place"),
    trace(Removed, "/tmp/hsperfdata_*", "traces of Java"),
    trace(Removed, "/run/mesosflow-netrc", "a password, in memory"),
    trace(Removed, "/var/lib/dhcp/*.leases", "an address"),
    trace(Removed, "/var/lib/dhclient/*", "an address"),
    trace(Removed, "/var/lib/NetworkManager/*lease*", "an address"),
    trace(
        Data,
        "/mnt/ephemeral-hdfs",
        "data and names of the ephemeral HDFS",
    ),
    trace(
        Data,
        "/vol/persistent-hdfs",
        "data and names of the persistent HDFS",
    ),
    trace(Data, "/mnt[0-9]*/ephemeral-hdfs", "data of the ephemeral HDFS"),
    trace(Data, "/mnt/hadoop", "what MapReduce left"),
    trace(Data, "/mnt[0-9]*/hadoop", "what MapReduce left"),
    trace(Data, "/mnt/hadoop-logs", "logs"),
    trace(Data, "/mnt/mesos-logs", "logs"),
    trace(Data, "/mnt/mesos-cache", "what the agent fetched"),
    trace(
        Data,
        "/mnt/mesos-work",
        "Mesos' registry, the agent's identity, sandboxes",
    ),
    trace(Data, "/mnt/nfs", "the shared folder"),
    trace(Data, "/mnt/.mesosflow-token.*", "half a token"),
    trace(Data, "/mnt/swap", "swap"),
    trace(Data, "/mnt/swap.new", "half of a swap file"),
    trace(
        Emptied,
        "/root/ephemeral-hdfs/conf",
        "configuration of the ephemeral HDFS",
    ),
    trace(
        Emptied,
        "/root/persistent-hdfs/conf",
        "configuration of the persistent HDFS",
    ),
    trace(Emptied, "/root/spark/conf", "configuration of Spark"),
    trace(Edited, "/etc/fstab", "disks, volume, shared folder, swap"),
    trace(Edited, "/etc/hosts", "names and addresses of the nodes"),
    trace(Edited, "/etc/hostname", "the node's name"),
    trace(Edited, "/etc/mesos", "where the cluster's masters are found"),
    trace(Edited, "/etc/mesos-master", "flags of the master; your own stay"),
    trace(Edited, "/etc/mesos-slave", "flags of the agent; your own stay"),
    trace(Edited, "/root/.ssh/known_hosts", "the nodes' host keys"),
    trace(Edited, "/root/.*_history", "what was typed"),
    trace(
        Sealed,
        "/root/.ssh/authorized_keys",
        "lines of the cluster's keys; in every other home folder too",
    ),
    trace(
        Sealed,
        "/etc/ssh/ssh_host_*",
        "SSH host keys; the first boot makes others",
    ),
    trace(Sealed, "/etc/machine-id", "the machine's number"),
    trace(Sealed, "/var/lib/dbus/machine-id", "the machine's number"),
    trace(Sealed, "/var/lib/cloud", "what cloud-init knows"),
    trace(Sealed, "/var/log", "what was logged"),
    trace(Kept, "/root/mesos", "Mesos"),
    trace(
        Kept,
        "/opt/mesosflow",
        "Hadoop, Spark, the launcher of ZooKeeper, the roles",
    ),
    trace(
        Kept,
        on_node::ROLE_COMMAND,
        "the roles' boot script, as a command",
    ),
    trace(
        Kept,
        "/etc/systemd/system/mesosflow-host-keys.service",
        "makes host keys on the first boot",
    ),
    trace(Memory, "/run", "memory"),
];

/// What the image is for, for people.
pub const KEEPS: [&str; 3] = [
    "/root/mesos (Mesos)",
    "/opt/mesosflow (Hadoop, Spark, the launcher of ZooKeeper, the roles)",
    "the packages of the system",
];

/// The units of every role, of the boot script, the names and the firewall, as files.
pub fn units() -> impl Iterator<Item = String> {
    let names = UNITS.into_iter().chain(on_node::ROLE_UNITS);
    let names = names.chain([on_node::NAMES_UNIT, on_node::FIREWALL_UNIT]);
    names.map(|unit| format!("/etc/systemd/system/{unit}"))
}

/// The paths and patterns of some fates, separated by spaces, for a script; the units are removed.
pub(super) fn words(fates: &[Fate]) -> String {
    let listed = TRACES.iter().filter(|trace| fates.contains(&trace.fate));
    let mut words: Vec<_> = listed.map(|trace| trace.path.to_owned()).collect();
    if fates.contains(&Removed) {
        words.extend(units());
    }
    words.join(" ")
}

impl Trace {
    /// Whether it is what lies at a path of a node, or a folder above it.
    pub fn covers(&self, path: &str) -> bool {
        let (head, rest) = self.path.split_once(['*', '[']).unwrap_or((self.path, ""));
        if head == self.path {
            return path == head
                || path
                    .strip_prefix(head)
                    .is_some_and(|below| below.starts_with('/'));
        }
        let tail = rest.rsplit_once(['*', ']']).map_or(rest, |(_, tail)| tail);
        let mut above = std::path::Path::new(path)
            .ancestors()
            .filter_map(|path| path.to_str());
        above.any(|path| {
            path.strip_prefix(head)
                .is_some_and(|rest| rest.ends_with(tail) && is_same_depth(rest, tail))
        })
    }
}

/// A pattern's star stands for no slash.
fn is_same_depth(rest: &str, tail: &str) -> bool {
    rest.matches('/').count() == tail.matches('/').count()
}

/// What a path is that a node has.
pub(super) fn what(path: &str) -> &'static str {
    let found = TRACES.iter().find(|trace| trace.covers(path));
    found.map_or("a unit of the cluster", |trace| trace.what)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_unit_of_the_deployed_tree_is_in_the_list() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/root/mesos-ec2/units");
        let mut deployed: BTreeSet<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let of_roles = crate::roles::files();
        deployed.extend(
            of_roles
                .keys()
                .filter_map(|path| Some(path.strip_prefix("units/")?.to_owned())),
        );
        let listed = UNITS.into_iter().chain(on_node::ROLE_UNITS);
        assert_eq!(deployed, listed.map(str::to_owned).collect());
    }

    /// Scripts split the list at spaces, and nothing above what is the cluster's goes.
    #[test]
    fn paths_are_absolute_single_words_below_a_folder_that_stays() {
        let mut seen = BTreeSet::new();
        for trace in &TRACES {
            assert!(trace.path.starts_with('/') && !trace.path.contains(char::is_whitespace));
            assert!(seen.insert(trace.path), "{} twice", trace.path);
            let is_removed = matches!(trace.fate, Removed | Data | Emptied);
            assert!(!is_removed || trace.path == "/nfs" || trace.path.matches('/').count() >= 2);
            assert!(!trace.path.ends_with("/*") || trace.path == "/var/lib/dhclient/*");
        }
    }

    #[test]
    fn what_is_found_by_a_pattern_is_told_like_it() {
        assert_eq!(what("/mnt3/hadoop"), "what MapReduce left");
        assert_eq!(what("/root/.bash_history"), "what was typed");
        assert_eq!(
            what("/root/.ssh/mesosflow/id_ed25519"),
            "the node's key and the cluster's host keys"
        );
        assert_eq!(what("/mnt"), "a unit of the cluster");
        assert_eq!(
            what("/root/mesos-ec2"),
            "the cluster's lists, scripts, units and configuration"
        );
        assert_eq!(
            what("/etc/systemd/system/mesos-slave.service"),
            "a unit of the cluster"
        );
    }
}
