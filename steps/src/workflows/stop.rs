//! The stop: the daemons in order, then the machines. What is on disks that outlive a stop waits there for the start.

use std::sync::Arc;

use async_trait::async_trait;
use mesosflow_workflow::{
    CatalogueEntry, Flow, Halt, ItemKey, Outcome, Resource, Run, Settings, Settle as _, Stop as StopSign,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::destroy::delete_each;
use super::parts::{each, skipped};
use super::{Workflow, drive, entry, put_before, read};
use crate::cluster::{ClusterSpec, Instance, Node, Role};
use crate::hdfs::Hdfs;
use crate::life::{Daemon, DaemonStop, Delete, Deleted, HdfsStop, NfsUnmount, StopMachine};
use crate::record::STOPS;
use crate::setup::MesosStop;
use crate::world::World;

/// What a stop needs of the cluster's record, as it was when it began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StopSpec {
    /// The spec in force.
    pub cluster: ClusterSpec,
    /// The nodes that run.
    pub nodes: Vec<Node>,
    /// The machines that stop; none of listed hosts, whose power is their owner's.
    pub machines: Vec<Instance>,
    /// Machines that end instead, since their provider cannot stop them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ending: Vec<Resource>,
}

/// The workflow.
#[derive(Debug)]
pub struct Stop;

#[async_trait(?Send)]
impl Workflow for Stop {
    fn name(&self) -> &'static str {
        STOPS
    }

    fn aim(&self) -> &'static str {
        "is stopped"
    }

    fn cluster(&self, spec: &Value) -> Result<ClusterSpec, serde_json::Error> {
        Ok(read::<StopSpec>(spec)?.cluster)
    }

    fn catalogue(&self, spec: &Value) -> Result<Vec<CatalogueEntry>, serde_json::Error> {
        Ok(stop_steps(&read(spec)?))
    }

    async fn drive(&self, run: &Run, world: Arc<World>, settings: Settings, stop: StopSign) -> Outcome {
        drive(run, world, settings, stop, stop_all).await
    }
}

impl StopSpec {
    /// The second master, if it runs.
    fn second(&self) -> Option<&Node> {
        let is_it = |node: &&Node| node.role == Role::Master && node.index == 2;
        self.nodes.iter().find(is_it)
    }
}

/// The steps of a stop.
pub(super) fn stop_steps(spec: &StopSpec) -> Vec<CatalogueEntry> {
    let mut all = vec![
        entry(MesosStop::ID, "Mesos stopped and gone").over("masters and slaves"),
        entry(NfsUnmount::ID, "/mnt/nfs unmounted").over("slaves"),
        entry(DaemonStop::id_of(Daemon::Nfs), "/mnt/nfs served no more"),
        entry(HdfsStop::id_of(Hdfs::Ephemeral), "ephemeral HDFS stopped"),
        entry(HdfsStop::id_of(Hdfs::Persistent), "persistent HDFS stopped"),
        entry(DaemonStop::id_of(Daemon::Zookeeper), "ZooKeeper stopped").over("zookeepers"),
    ];
    if spec.second().is_some() {
        let no_more = "no more checkpoints of the persistent HDFS";
        let stops = entry(DaemonStop::id_of(Daemon::Checkpoints), no_more);
        put_before(&mut all, &HdfsStop::id_of(Hdfs::Ephemeral), [stops]);
    }
    if !spec.ending.is_empty() {
        all.push(
            entry(
                Delete::id_of(Deleted::Machines),
                "machines that cannot be stopped end",
            )
            .over("machines")
            .destructive(),
        );
    }
    if spec.cluster.provider.has_power() {
        all.push(entry(StopMachine::ID, "machines stopped").over("machines"));
    }
    all
}

/// Stops the cluster.
///
/// # Errors
/// Why the flow has to end; see [`Halt`].
pub(super) async fn stop_all(flow: Flow<World>, spec: Arc<StopSpec>) -> Result<(), Halt> {
    let of = |role| spec.nodes.iter().filter(move |node| node.role == role);
    let is_hub = |node: &&Node| node.is_first_master();
    let hub = spec.nodes.iter().find(is_hub);
    let slaves: Vec<_> = of(Role::Slave).cloned().collect();

    flow.fan_out(
        MesosStop::ID,
        each(of(Role::Slave).chain(of(Role::Master)), |node| MesosStop {
            node: node.clone(),
            for_good: true,
        }),
    )
    .await?;
    let shared = async {
        flow.fan_out(
            NfsUnmount::ID,
            each(&slaves, |node| NfsUnmount { node: node.clone() }),
        )
        .await?;
        match hub.cloned() {
            Some(node) => {
                let daemon = Daemon::Nfs;
                flow.step(DaemonStop { daemon, node }).await
            }
            None => flow.skip(DaemonStop::id_of(Daemon::Nfs), NO_HUB).await,
        }
    };
    // Before its namenode: a checkpoint is made whole or not begun.
    if let Some(node) = spec.second().cloned() {
        let daemon = Daemon::Checkpoints;
        flow.step(DaemonStop { daemon, node }).await?;
    }
    let (namenode, slaves) = (hub.cloned(), slaves.clone());
    let hdfs = |hdfs| HdfsStop {
        hdfs,
        namenode: namenode.clone(),
        slaves: slaves.clone(),
    };
    let (ephemeral, persistent) = (hdfs(Hdfs::Ephemeral), hdfs(Hdfs::Persistent));
    tokio::join!(shared, flow.step(ephemeral), flow.step(persistent)).settle()?;
    let quorum = DaemonStop::id_of(Daemon::Zookeeper);
    if !skipped(&flow, quorum.clone()).await? {
        let servers = each(of(Role::Zookeeper), |node| DaemonStop {
            daemon: Daemon::Zookeeper,
            node: node.clone(),
        });
        flow.fan_out(quorum, servers).await?;
    }

    if !spec.ending.is_empty() {
        delete_each(&flow, &spec.ending, &[], Deleted::Machines).await?;
    }
    if !spec.cluster.provider.has_power() {
        return Ok(());
    }
    let asked = Arc::new(OnceCell::new());
    let machines = spec.machines.iter().map(|instance| {
        let step = StopMachine {
            instance: instance.clone(),
            asked: asked.clone(),
        };
        (ItemKey::from(instance.name.as_str()), step)
    });
    flow.fan_out(StopMachine::ID, machines.collect::<Vec<_>>())
        .await
        .map(drop)
}

/// Why a step about the first master has no place.
const NO_HUB: &str = "the first master does not run";
