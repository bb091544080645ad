//! What a run's history says in the cluster's own terms.

use mesosflow_workflow::{RunState, Step as _, StepId};
use serde::de::DeserializeOwned;

use crate::cluster::Instance;
use crate::provision::{LaunchMaster, LaunchSlave, LaunchZookeeper};
use crate::setup::{Report, ReportStep};

/// The machines that exist by the history: masters, slaves, ZooKeepers, each in the order of their numbers.
pub fn nodes(state: &RunState) -> Vec<Instance> {
    let mut nodes = Vec::new();
    for step in [LaunchMaster::ID, LaunchSlave::ID, LaunchZookeeper::ID] {
        let Some(found) = state.step(&step) else { continue };
        let outputs = found.items.values().filter_map(|item| item.output.clone());
        let mut instances: Vec<Instance> = outputs
            .filter_map(|output| serde_json::from_value(output).ok())
            .collect();
        instances.retain(|instance| state.resources.iter().any(|resource| resource.id == instance.id));
        instances.sort_by_key(|instance| instance.index);
        nodes.append(&mut instances);
    }
    nodes
}

/// The report, if the run has come that far.
pub fn report(state: &RunState) -> Option<Report> {
    output(state, &ReportStep::ID)
}

fn output<T: DeserializeOwned>(state: &RunState, step: &StepId) -> Option<T> {
    serde_json::from_value(state.step(step)?.progress.output.clone()?).ok()
}
