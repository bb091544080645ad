//! What a redeployment of Mesos would meet with.

use mesosflow_steps::World;
use mesosflow_steps::act::ActError;
use mesosflow_steps::cluster::{MesosSpec, Node, Role};
use mesosflow_steps::life::RollMesos;
use mesosflow_steps::record::Record;
use mesosflow_steps::setup::{BuildMesos, BuiltMesos};
use mesosflow_workflow::{ErrorReport, RunState, Status};

use crate::error::CliError;
use crate::exit::Exit;

/// The Mesos in force, as the cluster's record has it.
pub(crate) fn built_mesos(record: &Record) -> Option<BuiltMesos> {
    record.outcome(&BuildMesos::ID)
}

/// Whether each of these nodes has what that source gives, as far as that can be told.
pub(crate) async fn has_mesos(world: &World, mesos: &MesosSpec, nodes: &[Node]) -> Result<bool, CliError> {
    let asked = mesosflow_steps::has_mesos(world, mesos, nodes).await;
    asked.map_err(|error| unseen("it cannot be seen which Mesos the nodes have", &error))
}

/// The names of the slaves whose agents would begin anew if they were started now.
pub(crate) async fn begin_anew(world: &World, slaves: &[Node]) -> Result<Vec<String>, CliError> {
    let asked = mesosflow_steps::begin_anew(world, slaves).await;
    asked.map_err(|error| unseen("it cannot be seen whose tasks would end", &error))
}

/// The names of the nodes of that role that a run may have given its Mesos.
pub(crate) fn rolled(state: &RunState, role: Role) -> Vec<String> {
    let items = state.step(&RollMesos::id_of(role)).map(|step| &step.items);
    let begun = items
        .into_iter()
        .flatten()
        .filter(|(_, item)| item.status != Status::Pending);
    begun.map(|(name, _)| name.as_str().to_owned()).collect()
}

/// Whether a run may have given any node its Mesos.
pub(crate) fn has_rolled(state: &RunState) -> bool {
    let masters = state.step(&RollMesos::id_of(Role::Master));
    masters.is_some_and(|step| step.progress.status != Status::Pending)
}

fn unseen(what: &str, error: &ActError) -> CliError {
    CliError::new(Exit::Failed, what).because_of_report(&ErrorReport::of(error))
}
