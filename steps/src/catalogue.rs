//! The catalogue: every step in the order that replay follows, with the item of the deploy notes that it stands for.

use mesosflow_workflow::{CatalogueEntry, Step, StepId};

use crate::cluster::ClusterSpec;
use crate::life::ZookeeperStop;
use crate::provider::hosts::LISTED;
use crate::provision::{
    AwaitNode, CopySshKey, ImageMetadata, LaunchMaster, LaunchSlave, LaunchZookeeper, PushConfig,
    RenderConfig, SanityCheck, SecurityGroups, SetupOptions,
};
use crate::setup::{
    ApproveMaster, ApproveNode, ApproveZookeeper, BuildFrameworks, BuildMesos, ClusterHealth, ClusterInputs,
    DistributeHdfsConfig, DistributeScripts, FrameworkConfig, HdfsFormat, HdfsStart, Hostname, MesosStart,
    MesosStop, NfsExport, NfsMount, PersistentHdfsFormat, PersistentHdfsStart, RedeployMesos, ReportStep,
    ScriptPermissions, SetupMaster, SetupNode, ZookeeperStart,
};

fn entry<S: Step>(notes: &str, title: &str) -> CatalogueEntry {
    CatalogueEntry::new(S::ID, notes, title)
}

/// Every step, in order.
pub fn catalogue() -> Vec<CatalogueEntry> {
    vec![
        entry::<SecurityGroups>("1.1", "groups of the cluster and their rules"),
        entry::<SanityCheck>("1.2", "refuse if others' machines live in those groups"),
        entry::<ImageMetadata>("1.3", "image: architecture, root device, login user"),
        entry::<LaunchSlave>("1.4", "machines of the slaves")
            .over("slaves")
            .destructive()
            .replaces(),
        entry::<LaunchMaster>("1.4", "machines of the masters")
            .over("masters")
            .destructive()
            .replaces(),
        entry::<LaunchZookeeper>("1.4", "machines of the ZooKeepers")
            .over("zookeepers")
            .destructive()
            .replaces(),
        entry::<AwaitNode>("1.5", "running, host key pinned, SSH answers").over("nodes"),
        entry::<RenderConfig>("1.6.a", "variables and templates rendered"),
        entry::<PushConfig>("1.6.a", "rendered tree to the first master"),
        entry::<CopySshKey>("1.6.b", "the nodes' own keys on the first master"),
        entry::<SetupOptions>("1.6.c", "options handed over to the deployed scripts"),
        entry::<Hostname>("2.1", "host names, durable over a reboot").over("nodes"),
        entry::<ClusterInputs>("2.2, 2.3", "lists read back and checked"),
        entry::<ScriptPermissions>("2.4", "what will be called can be called"),
        entry::<SetupMaster>("2.5", "disks, folders, swap of the first master"),
        entry::<ApproveMaster>("2.6", "host keys of the masters, proven by SSH").over("masters"),
        entry::<ApproveZookeeper>("2.7", "host keys and numbers of the ZooKeepers").over("zookeepers"),
        entry::<ApproveNode>("2.8", "host keys of slaves, other masters, ZooKeepers").over("other nodes"),
        entry::<DistributeScripts>("2.9", "deployed folder and a key to the others").over("other nodes"),
        entry::<SetupNode>("2.10", "disks, folders, swap of the others").over("other nodes"),
        entry::<DistributeHdfsConfig>("2.11", "both HDFS configurations to the others").over("other nodes"),
        entry::<BuildMesos>("2.12", "Mesos on the first master, by its source"),
        entry::<BuildFrameworks>("2.12", "Spark and Hadoop for the frameworks"),
        entry::<FrameworkConfig>("2.13", "framework configuration, checked by its programs"),
        entry::<RedeployMesos>("2.14", "Mesos to other masters and slaves").over("other masters and slaves"),
        entry::<NfsExport>("2.15", "/mnt/nfs exported by the first master"),
        entry::<NfsMount>("2.16", "/mnt/nfs mounted").over("slaves"),
        entry::<HdfsFormat>("2.17", "ephemeral HDFS formatted").destructive(),
        entry::<HdfsStart>("2.17", "ephemeral HDFS started"),
        entry::<PersistentHdfsFormat>("2.18", "persistent HDFS formatted if it is empty").destructive(),
        entry::<PersistentHdfsStart>("2.18", "persistent HDFS started"),
        entry::<ZookeeperStart>("2.19", "ZooKeeper quorum").over("zookeepers"),
        entry::<MesosStop>("2.20.a", "Mesos stopped and gone")
            .over("masters and slaves")
            .undoes(),
        entry::<MesosStart>("2.20.b", "masters, then a leader, then slaves"),
        entry::<ClusterHealth>("-", "the cluster does its work"),
        entry::<ReportStep>("1.7", "addresses, interfaces, login, times"),
    ]
}

/// Why steps about ZooKeeper are skipped.
const ONE_MASTER: &str = "one master needs no ZooKeeper";

/// The steps that have no place in a cluster without ZooKeeper.
const ZOOKEEPER_STEPS: [StepId; 4] = [
    LaunchZookeeper::ID,
    ApproveZookeeper::ID,
    ZookeeperStart::ID,
    ZookeeperStop::ID,
];

/// The steps that make what hosts of one's own are already.
const MAKING_STEPS: [StepId; 5] = [
    SecurityGroups::ID,
    ImageMetadata::ID,
    LaunchSlave::ID,
    LaunchMaster::ID,
    LaunchZookeeper::ID,
];

/// Why a step has no place in a cluster of this spec; none where it has one.
pub fn skip_reason(spec: &ClusterSpec, step: &StepId) -> Option<&'static str> {
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
        assert_eq!(ids.len(), 36);
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }
}
