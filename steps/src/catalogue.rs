//! The catalogue: every step in the order that replay follows, with the item of the deploy notes that it stands for.

use mesosflow_workflow::{CatalogueEntry, StepId};

use crate::cluster::{ClusterSpec, Role};
use crate::hdfs::Hdfs;
use crate::life::{Daemon, DaemonStop, RestartZookeeper, SeeRanks};
use crate::provider::hosts::LISTED;
use crate::provision::{
    AwaitNode, CopySshKey, ImageMetadata, LaunchMachine, PushConfig, RenderConfig, SanityCheck,
    SecurityGroups, SetupOptions,
};
use crate::setup::{
    Approve, Approved, BuildFrameworks, BuildMesos, ClusterHealth, ClusterInputs, Distribute,
    FrameworkConfig, HdfsFormat, HdfsStart, Hostname, MesosRoles, MesosStart, MesosStop, NfsExport, NfsMount,
    PersistentHdfsFormat, RedeployMesos, ReportStep, ScriptPermissions, SetupNode, ZookeeperStart,
};

/// Every step, in order.
pub fn catalogue() -> Vec<CatalogueEntry> {
    let entry = CatalogueEntry::new;
    let launch = |role, title, all| {
        let machines = entry(LaunchMachine::id_of(role), "1.4", title).over(all);
        machines.destructive().replaces()
    };
    vec![
        entry(SecurityGroups::ID, "1.1", "groups of the cluster and their rules"),
        entry(
            SanityCheck::ID,
            "1.2",
            "refuse if others' machines live in those groups",
        ),
        entry(
            ImageMetadata::ID,
            "1.3",
            "image: architecture, root device, login user",
        ),
        launch(Role::Slave, "machines of the slaves", "slaves"),
        launch(Role::Master, "machines of the masters", "masters"),
        launch(Role::Zookeeper, "machines of the ZooKeepers", "zookeepers"),
        entry(AwaitNode::ID, "1.5", "running, host key pinned, SSH answers").over("nodes"),
        entry(RenderConfig::ID, "1.6.a", "variables and templates rendered"),
        entry(PushConfig::ID, "1.6.a", "rendered tree to the first master"),
        entry(CopySshKey::ID, "1.6.b", "the nodes' own keys on the first master"),
        entry(
            SetupOptions::ID,
            "1.6.c",
            "options handed over to the deployed scripts",
        ),
        entry(Hostname::ID, "2.1", "host names, durable over a reboot").over("nodes"),
        entry(ClusterInputs::ID, "2.2, 2.3", "lists read back and checked"),
        entry(ScriptPermissions::ID, "2.4", "what will be called can be called"),
        entry(
            SetupNode::MASTER,
            "2.5",
            "disks, folders, swap of the first master",
        ),
        entry(
            Approve::id_of(Approved::Masters),
            "2.6",
            "host keys of the masters, proven by SSH",
        )
        .over("masters"),
        entry(
            Approve::id_of(Approved::Zookeepers),
            "2.7",
            "host keys and numbers of the ZooKeepers",
        )
        .over("zookeepers"),
        entry(
            Approve::id_of(Approved::Nodes),
            "2.8",
            "host keys of slaves, other masters, ZooKeepers",
        )
        .over("other nodes"),
        entry(
            Distribute::SCRIPTS,
            "2.9",
            "deployed folder and a key to the others",
        )
        .over("other nodes"),
        entry(SetupNode::NODES, "2.10", "disks, folders, swap of the others").over("other nodes"),
        entry(
            Distribute::HDFS_CONFIG,
            "2.11",
            "configuration of both HDFS and Spark to the others",
        )
        .over("other nodes"),
        entry(BuildMesos::ID, "2.12", "Mesos on the first master, by its source"),
        entry(BuildFrameworks::ID, "2.12", "Spark and Hadoop for the frameworks"),
        entry(
            FrameworkConfig::ID,
            "2.13",
            "framework configuration, checked by its programs",
        ),
        entry(RedeployMesos::ID, "2.14", "Mesos to other masters and slaves")
            .over("other masters and slaves"),
        entry(
            MesosRoles::ID,
            "page 1",
            "roles, and the script that configures them at boot",
        )
        .over("masters and slaves"),
        entry(NfsExport::ID, "2.15", "/mnt/nfs exported by the first master"),
        entry(NfsMount::ID, "2.16", "/mnt/nfs mounted").over("slaves"),
        entry(HdfsFormat::ID, "2.17", "ephemeral HDFS formatted").destructive(),
        entry(
            HdfsStart::id_of(Hdfs::Ephemeral),
            "2.17",
            "ephemeral HDFS started",
        ),
        entry(
            PersistentHdfsFormat::ID,
            "2.18",
            "persistent HDFS formatted if it is empty",
        )
        .destructive(),
        entry(
            HdfsStart::id_of(Hdfs::Persistent),
            "2.18",
            "persistent HDFS started",
        ),
        entry(ZookeeperStart::ID, "2.19", "ZooKeeper quorum").over("zookeepers"),
        entry(MesosStop::ID, "2.20.a", "Mesos stopped and gone")
            .over("masters and slaves")
            .undoes(),
        entry(MesosStart::ID, "2.20.b", "masters, then a leader, then slaves"),
        entry(ClusterHealth::ID, "-", "the cluster does its work"),
        entry(ReportStep::ID, "1.7", "addresses, interfaces, login, times"),
    ]
}

/// Why steps about ZooKeeper are skipped.
const ONE_MASTER: &str = "one master needs no ZooKeeper";

/// The steps that have no place in a cluster without ZooKeeper.
const ZOOKEEPER_STEPS: [StepId; 6] = [
    LaunchMachine::id_of(Role::Zookeeper),
    Approve::id_of(Approved::Zookeepers),
    SeeRanks::id_of(Role::Zookeeper),
    RestartZookeeper::ID,
    ZookeeperStart::ID,
    DaemonStop::id_of(Daemon::Zookeeper),
];

/// The steps that make what hosts of one's own are already.
const MAKING_STEPS: [StepId; 5] = [
    SecurityGroups::ID,
    ImageMetadata::ID,
    LaunchMachine::id_of(Role::Slave),
    LaunchMachine::id_of(Role::Master),
    LaunchMachine::id_of(Role::Zookeeper),
];

/// Why a step has no place in a cluster of this spec; none where it has one.
pub(crate) fn skip_reason(spec: &ClusterSpec, step: &StepId) -> Option<&'static str> {
    if !spec.provider.makes_machines() && MAKING_STEPS.contains(step) {
        return Some(LISTED);
    }
    (spec.zookeepers() == 0 && ZOOKEEPER_STEPS.contains(step)).then_some(ONE_MASTER)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_step_stands_once() {
        let ids: Vec<_> = catalogue().into_iter().map(|entry| entry.id).collect();
        assert_eq!(ids.len(), 37);
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }
}
