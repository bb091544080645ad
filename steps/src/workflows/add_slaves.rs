//! The addition of slaves to a cluster that works, and goes on working meanwhile: machines are launched, or one that joined by itself is
//! taken over, and set up as the deploy does it. What runs is not started anew.

use std::sync::Arc;

use async_trait::async_trait;
use mesosflow_workflow::{CatalogueEntry, Flow, Halt, Outcome, Run, Settings, StepId, Stop};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::deploy::{awaited, first_of, sorted};
use super::parts::place;
use super::set_up::{Before, Setting, set_up};
use super::{Workflow, drive, read, without};
use crate::catalogue::catalogue as of_deploy;
use crate::cluster::{ClusterSpec, Instance, Node, Role};
use crate::hdfs::FileSystems;
use crate::provider::{Groups, Image};
use crate::provision::{ImageMetadata, LaunchMachine, SanityCheck, SecurityGroups, loss};
use crate::setup::{HdfsFormat, MesosStop, PersistentHdfsFormat, Report};
use crate::world::World;

/// What an addition needs of the cluster's record, as it was when it began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddSlavesSpec {
    /// The cluster as it is to be, the new slaves among its members.
    pub cluster: ClusterSpec,
    /// The numbers of the new slaves.
    pub adding: Vec<u16>,
    /// The nodes that there are.
    pub nodes: Vec<Node>,
    /// The names of nodes that are passed over, since their machines have gone meanwhile.
    #[serde(default)]
    pub without: Vec<String>,
    /// What machines are launched from.
    pub image: Image,
    /// What they are launched into.
    pub groups: Groups,
    /// The file systems that there are.
    pub file_systems: FileSystems,
}

impl AddSlavesSpec {
    /// The new slaves whose machines joined by themselves.
    fn joined(&self) -> Vec<Instance> {
        let adding = |machine: &&Instance| self.adding.contains(&machine.index);
        self.cluster.adopted().filter(adding).cloned().collect()
    }
}

/// The workflow that launches them.
#[derive(Debug)]
pub struct AddSlaves;

#[async_trait(?Send)]
impl Workflow for AddSlaves {
    fn name(&self) -> &'static str {
        "add-slaves"
    }

    fn aim(&self) -> &'static str {
        "has its new slaves"
    }

    fn cluster(&self, spec: &Value) -> Result<ClusterSpec, serde_json::Error> {
        Ok(read::<AddSlavesSpec>(spec)?.cluster)
    }

    fn catalogue(&self, spec: &Value) -> Result<Vec<CatalogueEntry>, serde_json::Error> {
        read::<AddSlavesSpec>(spec)?;
        Ok(catalogue(&[]))
    }

    async fn drive(&self, run: &Run, world: Arc<World>, settings: Settings, stop: Stop) -> Outcome {
        passing_over(run, world, settings, stop).await
    }
}

/// The workflow that takes over a machine which joined by itself.
#[derive(Debug)]
pub struct Adopt;

#[async_trait(?Send)]
impl Workflow for Adopt {
    fn name(&self) -> &'static str {
        "adopt"
    }

    fn aim(&self) -> &'static str {
        "has the machine that joined it"
    }

    fn cluster(&self, spec: &Value) -> Result<ClusterSpec, serde_json::Error> {
        AddSlaves.cluster(spec)
    }

    fn catalogue(&self, spec: &Value) -> Result<Vec<CatalogueEntry>, serde_json::Error> {
        read::<AddSlavesSpec>(spec)?;
        Ok(catalogue(&[LaunchMachine::id_of(Role::Slave)]))
    }

    async fn drive(&self, run: &Run, world: Arc<World>, settings: Settings, stop: Stop) -> Outcome {
        passing_over(run, world, settings, stop).await
    }
}

/// What only the deploy does: the cluster has it, and its daemons run.
const KEPT: [StepId; 8] = [
    SecurityGroups::ID,
    SanityCheck::ID,
    ImageMetadata::ID,
    LaunchMachine::id_of(Role::Master),
    LaunchMachine::id_of(Role::Zookeeper),
    HdfsFormat::ID,
    PersistentHdfsFormat::ID,
    MesosStop::ID,
];

/// The deploy's steps but for those that a cluster which works has behind it, and but for these.
pub(super) fn catalogue(but: &[StepId]) -> Vec<CatalogueEntry> {
    let is_left_out = |step: &StepId| KEPT.contains(step) || but.contains(step);
    let mut all = of_deploy();
    all.retain(|entry| !is_left_out(&entry.id));
    all
}

/// Drives a run of either; what has gone of the other nodes meanwhile is passed over.
async fn passing_over(run: &Run, world: Arc<World>, settings: Settings, stop: Stop) -> Outcome {
    if let Ok(spec) = read::<AddSlavesSpec>(&run.state().spec)
        && let Err(lost) = without::look(run, &world, &spec.nodes, &[]).await
    {
        return Outcome::Lost(lost);
    }
    drive(run, world, settings, stop, add).await
}

/// Adds them. A machine that is lost on the way is launched anew by the next driver.
///
/// # Errors
/// Why the flow has to end; see [`Halt`].
async fn add(flow: Flow<World>, spec: Arc<AddSlavesSpec>) -> Result<Report, Halt> {
    loss::look_after(&flow).await?.none_stopped()?;
    // On the heap: the future of all steps in one is too deep a type for those that await it.
    let ended = Box::pin(grow(flow.clone(), spec)).await;
    loss::explained(&flow, ended).await
}

async fn grow(flow: Flow<World>, spec: Arc<AddSlavesSpec>) -> Result<Report, Halt> {
    let cluster = flow.world().spec().clone();
    let (memory, joined) = (flow.world().memory(), spec.joined());
    let is_launched = |index: &&u16| joined.iter().all(|machine| machine.index != **index);
    let places: Vec<_> = spec
        .adding
        .iter()
        .filter(is_launched)
        .map(|index| place(&cluster, &spec.groups, &spec.image, Role::Slave, *index))
        .map(|(key, place)| (key, LaunchMachine(place)))
        .collect();
    let mut machines = joined;
    if !places.is_empty() {
        let launched = flow.fan_out(LaunchMachine::id_of(Role::Slave), places).await?;
        machines.extend(launched.into_iter().map(|(_, instance)| memory.machine(instance)));
    }
    let nodes = without::there(&spec.nodes, &spec.without);
    let there: Vec<_> = nodes.iter().map(|node| node.instance.clone()).collect();
    let new = awaited(&flow, &cluster, &spec.image, first_of(&there), machines).await?;
    let inventory = sorted(&flow, nodes.into_iter().chain(new))?;
    let setting = Setting {
        spec: &cluster,
        inventory,
        image: Some(&spec.image),
        range: spec.groups.range,
        before: Before::Up(spec.file_systems.clone()),
    };
    let report = set_up(&flow, setting).await?;
    without::told(&flow, &spec.without).await?;
    Ok(report)
}
