//! Nodes whose machines are gone while a run goes on: it passes over them, so that they keep nobody from going on with it or from undoing it,
//! and ends as `partial`.

use std::sync::Arc;

use mesosflow_workflow::{Flow, Halt, Outcome, RecordError, Run, RunState, Settings, Status, StepId, Stop};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::read;
use crate::cluster::Node;
use crate::life::{Delete, Deleted};
use crate::provider::Condition;
use crate::provision::{AGE_UNKNOWN, gone, loss};
use crate::setup::ClusterHealth;
use crate::world::World;

/// Where a run's spec has the names of the nodes that it passes over.
const FIELD: &str = "without";

/// Drives a run that goes on without nodes whose machines have gone meanwhile; which it acts on, and which of those leave by it, `nodes`
/// says.
pub(super) async fn drive<T, Fut, O>(
    run: &Run,
    world: Arc<World>,
    settings: Settings,
    stop: Stop,
    nodes: fn(&T) -> (&[Node], &[Node]),
    flow: impl Fn(Flow<World>, Arc<T>) -> Fut,
) -> Outcome
where
    T: DeserializeOwned,
    Fut: Future<Output = Result<O, Halt>>,
{
    // What cannot be read is said by the drive itself.
    if let Ok(spec) = read::<T>(&run.state().spec)
        && let Err(lost) = look(run, &world, nodes(&spec)).await
    {
        return Outcome::Lost(lost);
    }
    let explaining = |of_run: Flow<World>, spec: Arc<T>| {
        let body = flow(of_run.clone(), spec.clone());
        async move {
            let ended = Box::pin(body).await;
            // What failed on one of them failed for that.
            let acted_on = acted_on(&run.state(), nodes(&spec));
            loss::explained_of(&of_run, &acted_on, ended).await
        }
    };
    super::drive(run, world, settings, stop, explaining).await
}

/// Asks the provider about the machines of these nodes, and writes into the run's history which of them are gone by now; of those that
/// are `leaving` also which are stopped, and only until the run itself begins to delete their machines. Who was passed over once is so to
/// the end. The first master is the one that nothing can be done without. Where the provider does not answer, whoever needs a node will see.
///
/// # Errors
/// The journal failed.
async fn look(run: &Run, world: &World, nodes: (&[Node], &[Node])) -> Result<(), RecordError> {
    let state = run.state();
    let mut names = passed(&state);
    let mut told = Vec::new();
    for (node, leaves) in acted_on(&state, nodes) {
        let is_hub = node.is_first_master();
        let machine = world.memory().machine(node.instance.clone());
        match world.provider().condition(&machine).await {
            // It has nothing left to do, and ends with its machine as it is.
            Ok(Condition::Stopped(why)) if leaves && !is_hub => {
                told.push(format!("{} does not run ({why}), and leaves as it is", node.name));
                names.push(node.name.clone());
            }
            // What needs it would fail, and not say why.
            Ok(ref condition @ (Condition::Stopping(ref why) | Condition::Stopped(ref why))) => {
                let starting = world.provider().starting(&machine, condition);
                told.push(format!(
                    "{} does not run: {why}; to start it: {starting}",
                    node.name
                ));
            }
            Ok(condition) if !is_hub => {
                if let Some(why) = gone(&condition, AGE_UNKNOWN) {
                    told.push(format!("{} is gone: {why}", node.name));
                    names.push(node.name.clone());
                }
            }
            Ok(_) => {}
            Err(error) => tracing::info!(node = %node.name, %error, "cannot be asked about"),
        }
    }
    // Whoever rehearses drives the run afterwards, and looks again.
    for text in told.iter().filter(|_| !run.is_rehearsal()) {
        tracing::warn!(target: "mesosflow::progress", "{text}");
    }
    run.amend(FIELD, json!(names), Vec::new()).await
}

/// Of the nodes that stay by a run, and of those that leave: which it still acts on, and whether each of them leaves. None that it passes over,
/// and of those that leave none once it has begun to delete machines.
fn acted_on(state: &RunState, (stay, leave): (&[Node], &[Node])) -> Vec<(Node, bool)> {
    let step = state.step(&Delete::id_of(Deleted::Machines));
    let deletes = step.is_some_and(|step| step.progress.status != Status::Pending);
    let leave = if deletes { &[] } else { leave };
    let passed = passed(state);
    let of = |nodes, leaves| there(nodes, &passed).into_iter().map(move |node| (node, leaves));
    of(stay, false).chain(of(leave, true)).collect()
}

/// The names of the nodes that a run passes over.
fn passed(state: &RunState) -> Vec<String> {
    serde_json::from_value(state.spec[FIELD].clone()).unwrap_or_default()
}

/// Those of the nodes that are not passed over.
pub(super) fn there(nodes: &[Node], without: &[String]) -> Vec<Node> {
    let is_there = |node: &&Node| !without.contains(&node.name);
    nodes.iter().filter(is_there).cloned().collect()
}

/// Has the run end without nodes whose machines did not run when their turn came.
///
/// # Errors
/// The journal failed.
pub(super) async fn told_passed(flow: &Flow<World>, passed: &[String]) -> Result<(), Halt> {
    const HEALTH: StepId = ClusterHealth::ID;
    if passed.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "without {}, which {} not run: `mesosflow resume` goes on with what runs by then, or without what is gone",
        passed.join(", "),
        if passed.len() == 1 { "does" } else { "do" }
    );
    flow.leave(&HEALTH, None, &reason).await
}

/// Has the run end without the nodes that it passed over.
///
/// # Errors
/// The journal failed.
pub(super) async fn told(flow: &Flow<World>, without: &[String]) -> Result<(), Halt> {
    const HEALTH: StepId = ClusterHealth::ID;
    if without.is_empty() {
        return Ok(());
    }
    let commands = without
        .iter()
        .map(|name| format!("`mesosflow replace-node {name}`"));
    let commands: Vec<_> = commands.collect();
    let reason = format!(
        "without {}, whose machines are gone: {} launches another, `mesosflow remove-slaves` goes on without a slave",
        without.join(", "),
        commands.join(", ")
    );
    flow.leave(&HEALTH, None, &reason).await
}
