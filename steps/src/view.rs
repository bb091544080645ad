//! What a run's history says in the cluster's own terms.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use mesosflow_workflow::{ItemKey, RunId, RunState, StepId};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cluster::{ClusterSpec, Instance, Node, ProviderKind, Role};
use crate::hdfs::Formatted;
use crate::key::KeyExpected;
use crate::life::Deleted;
use crate::memory::Memory;
use crate::provider::{Groups, Image};
use crate::provision::{AwaitNode, CopySshKey, ImageMetadata, LAUNCHES, SecurityGroups};
use crate::setup::{PersistentHdfsFormat, Report, ReportStep};

/// The machines that exist by the history: masters, slaves, ZooKeepers, each in the order of their numbers. What was
/// awaited is shown as it was then: an address from outside may come only when a machine runs.
pub fn nodes(state: &RunState) -> Vec<Instance> {
    let mut nodes = launched(state);
    nodes.retain(|instance| state.resources.iter().any(|resource| resource.id == instance.id));
    let awaited: Vec<Node> = outputs(state, &AwaitNode::ID);
    let (is_lent, adopted) = (ProviderKind::has_lent(&state.provider), adopted(state));
    for node in awaited {
        match nodes.iter_mut().find(|known| known.id == node.id) {
            Some(known) => *known = node.instance,
            // A machine that is in no list of resources, because it is not mesosflow's.
            None if !state.destroyed && (is_lent || adopted.contains(&node.id)) => nodes.push(node.instance),
            None => {}
        }
    }
    let place = |role| match role {
        Role::Master => 0,
        Role::Slave => 1,
        Role::Zookeeper => 2,
    };
    nodes.sort_by_key(|node| (place(node.role), node.index));
    nodes
}

/// The ids of machines that joined the cluster by themselves, and were adopted.
pub fn adopted(cluster: &RunState) -> BTreeSet<String> {
    let spec = ClusterSpec::within(&cluster.spec).ok();
    let machines = spec.iter().flat_map(ClusterSpec::adopted);
    machines.map(|machine| machine.id.clone()).collect()
}

/// How long ago a machine was launched by the history.
pub fn age(state: &RunState, machine: &Instance, now: Timestamp) -> Duration {
    let key = ItemKey::from(machine.name.as_str());
    let ended = |step: &StepId| state.step(step)?.items.get(&key)?.finished_at;
    let launched = LAUNCHES.iter().filter_map(ended).max();
    let age = launched.and_then(|launched| Duration::try_from(now.duration_since(launched)).ok());
    age.unwrap_or_default()
}

/// The machines as they were launched, those that are gone by now among them.
pub(crate) fn launched(state: &RunState) -> Vec<Instance> {
    LAUNCHES.iter().flat_map(|step| outputs(state, step)).collect()
}

/// The volumes with the persistent HDFS, by the names of their nodes; none before it was formatted.
pub fn formatted_volumes(state: &RunState) -> Vec<(String, String)> {
    let formatted: Option<Formatted> = output(state, &PersistentHdfsFormat::ID);
    if formatted.is_none() {
        return Vec::new();
    }
    let exists = |id: &String| state.resources.iter().any(|resource| resource.id == *id);
    let with_volume = nodes(state).into_iter().filter_map(|node| {
        let volume = node.volume.filter(exists)?;
        Some((node.name, volume))
    });
    with_volume.collect()
}

/// What the machines were launched from, and into, as far as the history has come.
pub fn launched_from(state: &RunState) -> (Option<Image>, Option<Groups>) {
    (
        output(state, &ImageMetadata::ID),
        output(state, &SecurityGroups::ID),
    )
}

/// Whether there has been a persistent HDFS.
pub fn has_persistent(state: &RunState) -> bool {
    output::<Formatted>(state, &PersistentHdfsFormat::ID).is_some()
}

/// The nodes that have answered at least once, by the history.
pub fn awaited(state: &RunState) -> Vec<Node> {
    outputs(state, &AwaitNode::ID)
}

/// The nodes that still exist by the history and have answered once, the first master first.
pub fn reachable(state: &RunState) -> Vec<Node> {
    let exists = nodes(state);
    let mut reachable = awaited(state);
    reachable.retain(|node| exists.iter().any(|known| known.id == node.id));
    reachable.sort_by_key(|node| (node.role != Role::Master, node.index));
    reachable
}

/// What every version has recorded of [`CopySshKey`]'s outcome.
#[derive(Deserialize)]
struct DriversKey {
    public_key: String,
}

/// What is known of the cluster's key: from the first machine or host on there is one, and no other ever again.
pub fn key_of(state: &RunState) -> KeyExpected {
    let copied: Option<DriversKey> = output(state, &CopySshKey::ID);
    let begun = |step: &StepId| state.step(step).is_some_and(|step| !step.items.is_empty());
    match copied {
        None if !LAUNCHES.iter().chain([&AwaitNode::ID]).any(begun) => KeyExpected::MayBeMade,
        copied => KeyExpected::MustExist {
            public: copied.map(|copied| copied.public_key),
        },
    }
}

/// What the record of a cluster (see [`crate::Record::cluster`]) says of machines and nodes; `runs` are all that it has.
pub fn memory(cluster: &RunState, runs: impl IntoIterator<Item = RunId>) -> Memory {
    let mut nodes = awaited(cluster);
    nodes.retain(|node| !has_been_launched_since(cluster, &node.name) && !is_deleted(cluster, &node.id));
    Memory::new(runs, launched(cluster), nodes)
}

/// Whether the machine of that id is gone, by the last that the history says of it: another one may have its name by now, whose launch a crash
/// has kept from the journal.
pub fn is_deleted(cluster: &RunState, id: &str) -> bool {
    let kind = Deleted::Machines.kind();
    let mut traces = cluster.traces.iter();
    traces.any(|trace| !trace.exists && trace.resource.kind == kind && trace.resource.id == id)
}

/// Whether the machine in a node's place was launched after that node has answered: a provider may give it the same name as the one
/// before, and it is another one, with a host key of its own.
fn has_been_launched_since(cluster: &RunState, name: &str) -> bool {
    let key = ItemKey::from(name);
    let given = |step: &StepId| Some(cluster.step(step)?.items.get(&key)?.given);
    let launched = LAUNCHES.iter().filter_map(given).max();
    launched > given(&AwaitNode::ID)
}

/// The outputs of a step's items.
pub(crate) fn outputs<T: DeserializeOwned>(state: &RunState, step: &StepId) -> Vec<T> {
    let Some(found) = state.step(step) else {
        return Vec::new();
    };
    let recorded = found.items.values().filter_map(|item| item.output.clone());
    recorded
        .filter_map(|output| serde_json::from_value(output).ok())
        .collect()
}

/// The report, if the run has come that far.
pub fn report(state: &RunState) -> Option<Report> {
    output(state, &ReportStep::ID)
}

pub(crate) fn output<T: DeserializeOwned>(state: &RunState, step: &StepId) -> Option<T> {
    serde_json::from_value(state.step(step)?.progress.output.clone()?).ok()
}
