//! The addition of slaves to a cluster that works, and goes on working meanwhile: machines are launched, or one that joined by itself is
//! taken over, and set up as the deploy does it. What runs is not started anew.

use std::sync::Arc;

use async_trait::async_trait;
use mesosflow_workflow::{CatalogueEntry, Flow, Halt, Outcome, Run, Settings, Stop};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::deploy::{awaited, first_of, sorted};
use super::parts::place;
use super::set_up::{self, Setting, set_up};
use super::{Workflow, read, without};
use crate::catalogue::catalogue as of_deploy;
use crate::cluster::{ClusterSpec, Instance, Node, Role};
use crate::hdfs::FileSystems;
use crate::provider::{Groups, Image};
use crate::provision::{AwaitNode, LaunchMachine, loss};
use crate::setup::Report;
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
        Ok(catalogue(true))
    }

    async fn drive(&self, run: &Run, world: Arc<World>, settings: Settings, stop: Stop) -> Outcome {
        without::drive(run, world, settings, stop, nodes, add).await
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
        Ok(catalogue(false))
    }

    async fn drive(&self, run: &Run, world: Arc<World>, settings: Settings, stop: Stop) -> Outcome {
        without::drive(run, world, settings, stop, nodes, add).await
    }
}

/// The steps of an addition: the deploy's for its machines, where some are launched, and then its set-up.
fn catalogue(launches: bool) -> Vec<CatalogueEntry> {
    let machines = of_deploy().into_iter().filter(|entry| match &entry.id {
        id if *id == LaunchMachine::id_of(Role::Slave) => launches,
        id => *id == AwaitNode::ID,
    });
    machines.chain(set_up::steps()).collect()
}

/// The nodes that an addition could go on without: those that there are.
fn nodes(spec: &AddSlavesSpec) -> (&[Node], &[Node]) {
    (&spec.nodes, &[])
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
    let setting = Setting::up(
        &cluster,
        inventory,
        (Some(&spec.image), Some(&spec.groups)),
        &spec.file_systems,
    );
    let report = set_up(&flow, setting).await?;
    without::told(&flow, &spec.without).await?;
    Ok(report)
}
