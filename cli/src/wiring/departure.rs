//! What slaves that leave a cluster would meet with.

use mesosflow_steps::cluster::{Node, Role};
use mesosflow_steps::workflows::{RemoveSlaves, RemoveSlavesSpec, Workflow as _};
use mesosflow_steps::{Enough, Hdfs, World, is_deleted, what_leaving};
use mesosflow_workflow::{ErrorReport, RunState, StepError};

use crate::error::CliError;
use crate::exit::Exit;

/// The names of those of these nodes that answer.
pub(crate) async fn answering(world: &World, nodes: &[Node]) -> Vec<String> {
    mesosflow_steps::answering(world, nodes).await
}

/// Whether a run is a removal that has ended the machines of all who were to leave: nobody is left who could stay after all.
pub(crate) fn has_parted(state: &RunState) -> bool {
    let spec = serde_json::from_value::<RemoveSlavesSpec>(state.spec.clone());
    state.workflow == RemoveSlaves.name()
        && spec.is_ok_and(|spec| spec.leaving.iter().all(|node| has_ended(state, node)))
}

/// Whether a run has ended a node's machine.
pub(crate) fn has_ended(state: &RunState, node: &Node) -> bool {
    is_deleted(state, &node.id)
}

/// The first master among these nodes.
pub(super) fn first_master(nodes: &[Node]) -> Result<&Node, CliError> {
    let mut masters = nodes.iter().filter(|node| node.role == Role::Master);
    let first = masters.find(|node| node.index == 1);
    first.ok_or_else(|| CliError::new(Exit::Failed, "no first master is known"))
}

/// Those of a role.
pub(super) fn of(role: Role, nodes: &[Node]) -> Vec<Node> {
    let alike = nodes.iter().filter(|node| node.role == role);
    alike.cloned().collect()
}

/// A refusal for what an act would meet with, and what helps.
pub(super) fn because_of(refused: CliError, met: &impl StepError) -> CliError {
    let refused = refused.because(met.to_string());
    match met.hint() {
        Some(hint) => refused.hint(hint),
        None => refused,
    }
}

/// What both file systems would have to give up if these datanodes left, in sentences; refused where they cannot.
pub(crate) async fn leaving(
    world: &World,
    leaving: &[Node],
    staying: &[Node],
) -> Result<Vec<String>, CliError> {
    let (namenode, slaves) = (first_master(staying)?, of(Role::Slave, staying));
    let mut said = Vec::new();
    for hdfs in [Hdfs::Ephemeral, Hdfs::Persistent] {
        let met = what_leaving(world, hdfs, namenode, leaving, &slaves).await;
        let met = met.map_err(|error| {
            CliError::new(
                Exit::Failed,
                "it cannot be seen what the slaves' blocks would meet with",
            )
            .because_of_report(&ErrorReport::of(&error))
        })?;
        if let Some(refusal) = met.refusal(hdfs, true, Enough::EveryCopy) {
            let refused = CliError::refused("the slaves cannot leave: nothing was done");
            return Err(because_of(refused, &refusal));
        }
        if met.wanting.files > 0 {
            said.push(format!(
                "{}: they are made to want {}",
                met.wanting.text(hdfs),
                met.wanting.left
            ));
        }
        if !met.silent.is_empty() {
            said.push(format!(
                "the {} HDFS does not hear of {}: blocks that only these have are lost",
                hdfs.as_str(),
                met.silent.join(", ")
            ));
        }
    }
    Ok(said)
}
