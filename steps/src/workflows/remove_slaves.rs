//! The removal of slaves from a cluster that works, and goes on working meanwhile: their tasks and blocks go elsewhere, then their
//! daemons end, then their machines, and what is left is set up as the deploy does it.

use std::sync::Arc;

use async_trait::async_trait;
use mesosflow_workflow::{CatalogueEntry, Flow, Halt, Outcome, Resource, Run, Settings, Settle as _, Stop};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::deploy::sorted;
use super::destroy::{delete_each, deletion};
use super::parts::each;
use super::set_up::{self, Setting, set_up};
use super::{Workflow, entry, on_both, read, without};
use crate::cluster::{ClusterSpec, Node};
use crate::hdfs::{Enough, FileSystems, Hdfs};
use crate::life::{Decommission, Delete, Deleted, DrainAgent, ForgetDatanodes, HdfsStop, NfsUnmount};
use crate::provider::{Groups, Image};
use crate::record::REMOVES;
use crate::setup::{MesosStop, Report};
use crate::world::World;

/// What a removal needs of the cluster's record, as it was when it began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoveSlavesSpec {
    /// The cluster as it is to be.
    pub cluster: ClusterSpec,
    /// The nodes that stay.
    pub nodes: Vec<Node>,
    /// Those that leave.
    pub leaving: Vec<Node>,
    /// Of those that leave: the names of those that do not answer, or whose machines are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<String>,
    /// The names of nodes that are passed over, since their machines have gone meanwhile.
    #[serde(default)]
    pub without: Vec<String>,
    /// What there is of them at the provider; nothing of machines that are somebody else's.
    pub resources: Vec<Resource>,
    /// What machines are launched from; none of listed hosts.
    pub image: Option<Image>,
    /// What they are launched into; none of listed hosts.
    pub groups: Option<Groups>,
    /// The file systems that there are.
    pub file_systems: FileSystems,
    /// How long tasks may take to end by themselves, seconds.
    pub drain_timeout_s: u64,
    /// Whether files that want more copies than there will be datanodes are made to want fewer.
    pub lower_replication: bool,
}

impl RemoveSlavesSpec {
    /// The nodes that it acts on, and could go on without: those that stay, and those that leave.
    fn all_nodes(&self) -> (&[Node], &[Node]) {
        (&self.nodes, &self.leaving)
    }

    /// Those that leave and answer.
    fn answering(&self) -> impl Iterator<Item = &Node> {
        self.leaving
            .iter()
            .filter(|node| !self.silent.contains(&node.name) && !self.without.contains(&node.name))
    }

    /// The kinds of things that are deleted, in the order in which they have to go: those that there are of them, or all that a
    /// machine has, where more may be found.
    fn kinds(&self, finds_more: bool) -> Vec<Deleted> {
        let of_machine = [Deleted::SpotRequests, Deleted::Machines, Deleted::Volumes];
        let has = |kind: &Deleted| self.resources.iter().any(|resource| resource.kind == kind.kind());
        Deleted::of(self.cluster.provider)
            .filter(|kind| (finds_more && of_machine.contains(kind)) || has(kind))
            .collect()
    }
}

/// The workflow.
#[derive(Debug)]
pub struct RemoveSlaves;

#[async_trait(?Send)]
impl Workflow for RemoveSlaves {
    fn name(&self) -> &'static str {
        REMOVES
    }

    fn aim(&self) -> &'static str {
        "goes on without the slaves that were removed"
    }

    fn cluster(&self, spec: &Value) -> Result<ClusterSpec, serde_json::Error> {
        Ok(read::<RemoveSlavesSpec>(spec)?.cluster)
    }

    fn catalogue(&self, spec: &Value) -> Result<Vec<CatalogueEntry>, serde_json::Error> {
        Ok(removal(&read(spec)?, false))
    }

    async fn drive(&self, run: &Run, world: Arc<World>, settings: Settings, stop: Stop) -> Outcome {
        let removing = |flow, spec| remove(flow, spec, false);
        without::drive(run, world, settings, stop, RemoveSlavesSpec::all_nodes, removing).await
    }
}

/// Why a step about those that leave has no place.
const NOTHING: &str = "there is nothing of the kind";

/// What those that leave go through before the others are set up; whether more of what is to be deleted may be found than is known.
pub(super) fn removal(spec: &RemoveSlavesSpec, finds_more: bool) -> Vec<CatalogueEntry> {
    let mut all = vec![entry(DrainAgent::ID, "agents have no task and get none").over("leaving slaves")];
    all.extend(on_both(
        Decommission::id_of,
        "HDFS has what the leaving datanodes had",
    ));
    all.push(entry(MesosStop::ID, "Mesos stopped and gone where it leaves").over("leaving slaves"));
    all.push(entry(NfsUnmount::ID, "/mnt/nfs unmounted where it leaves").over("leaving slaves"));
    all.extend(on_both(HdfsStop::id_of, "HDFS: datanodes stopped that have left"));
    let kinds = spec.kinds(finds_more).into_iter();
    all.extend(kinds.map(|kind| deletion(spec.cluster.provider, kind)));
    all.extend(on_both(
        ForgetDatanodes::id_of,
        "HDFS: no datanode is expected to leave",
    ));
    all.extend(set_up::steps());
    all
}

/// Removes them.
///
/// # Errors
/// Why the flow has to end; see [`Halt`].
pub(super) async fn remove(
    flow: Flow<World>,
    spec: Arc<RemoveSlavesSpec>,
    finds_more: bool,
) -> Result<Report, Halt> {
    let cluster = flow.world().spec().clone();
    let memory = flow.world().memory();
    let inventory = sorted(&flow, without::there(&spec.nodes, &spec.without))?;
    let hub = inventory.first_master().clone();
    let leaving: Vec<_> = spec
        .leaving
        .iter()
        .map(|node| memory.node(node.clone()))
        .collect();
    let answering: Vec<_> = spec.answering().map(|node| memory.node(node.clone())).collect();

    flow.fan_out(
        DrainAgent::ID,
        each(&leaving, |node| DrainAgent {
            node: node.clone(),
            masters: inventory.masters.clone(),
            timeout_s: spec.drain_timeout_s,
        }),
    )
    .await?;
    let leaves = |hdfs| {
        flow.step(Decommission {
            hdfs,
            namenode: hub.clone(),
            leaving: leaving.clone(),
            staying: inventory.slaves.clone(),
            lower_replication: spec.lower_replication,
            enough: Enough::EveryCopy,
        })
    };
    tokio::join!(leaves(Hdfs::Ephemeral), leaves(Hdfs::Persistent)).settle()?;

    silenced(&flow, &answering).await?;
    for kind in spec.kinds(finds_more) {
        match spec.resources.iter().any(|resource| resource.kind == kind.kind()) {
            true => delete_each(&flow, &spec.resources, &[], kind).await?,
            false => flow.skip(Delete::id_of(kind), NOTHING).await?,
        }
    }
    forgotten(&flow, &hub, &leaving).await?;

    let made = (spec.image.as_ref(), spec.groups.as_ref());
    let setting = Setting::up(&cluster, inventory, made, &spec.file_systems);
    let report = Box::pin(set_up(&flow, setting)).await?;
    let stays = |name: &&String| spec.nodes.iter().any(|node| node.name == **name);
    let missed: Vec<_> = spec.without.iter().filter(stays).cloned().collect();
    without::told(&flow, &missed).await?;
    Ok(report)
}

/// Daemons of slaves that leave end, those that answer.
pub(super) async fn silenced(flow: &Flow<World>, answering: &[Node]) -> Result<(), Halt> {
    let mesos = each(answering, |node| MesosStop {
        node: node.clone(),
        for_good: true,
    });
    flow.fan_out(MesosStop::ID, mesos).await?;
    let volumes = each(answering, |node| NfsUnmount { node: node.clone() });
    flow.fan_out(NfsUnmount::ID, volumes).await?;
    let stops = |hdfs| {
        flow.step(HdfsStop {
            hdfs,
            namenode: None,
            slaves: answering.to_vec(),
        })
    };
    tokio::join!(stops(Hdfs::Ephemeral), stops(Hdfs::Persistent)).settle()?;
    Ok(())
}

/// No namenode believes in these datanodes any more: others may come to their addresses.
pub(super) async fn forgotten(flow: &Flow<World>, hub: &Node, gone: &[Node]) -> Result<(), Halt> {
    let forgets = |hdfs| {
        flow.step(ForgetDatanodes {
            hdfs,
            namenode: hub.clone(),
            gone: gone.to_vec(),
        })
    };
    tokio::join!(forgets(Hdfs::Ephemeral), forgets(Hdfs::Persistent)).settle()?;
    Ok(())
}
