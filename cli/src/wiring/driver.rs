//! Who drives a cluster: where nodes or machines say that somebody else does, it is left alone.

use std::path::Path;

use mesosflow_steps::cluster::ClusterSpec;
use mesosflow_steps::{ProviderError, Verified, World};
use mesosflow_workflow::{Driver, ErrorReport, RunState, StepError};

use super::provider::tagged;
use super::world::{closed, key_if_kept};
use crate::error::CliError;
use crate::exit::Exit;
use crate::places::Places;

/// Refuses where nodes or machines of the cluster know a driver that its history does not have.
pub(crate) async fn refuse_strangers(
    places: &Places,
    spec: &Verified,
    state: &RunState,
    folder: &Path,
) -> Result<(), CliError> {
    let strangers = strangers(spec, state, folder).await?;
    let Some(newest) = strangers.iter().map(|driver| driver.epoch).max() else {
        return Ok(());
    };
    Err(
        refused(places, state, "nothing was done", "resume").because(format!(
            "a node obeys, or a machine was made by, a driver of epoch {newest}, which is not in this journal"
        )),
    )
}

/// The drivers of a run's cluster that its nodes obey, or that made its machines, and that its history does not have.
pub(crate) async fn strangers(
    spec: &Verified,
    state: &RunState,
    folder: &Path,
) -> Result<Vec<Driver>, CliError> {
    let key = key_if_kept(state);
    let opened = World::open(spec.clone(), state.run, folder, None, &key).await;
    let world = opened.map_err(|error| {
        let message = format!("cannot look at the nodes of run `{}`", state.run);
        closed(&error, message, Exit::Failed)
    })?;
    let nodes = mesosflow_steps::reachable(state);
    let failed = |whom: &str, error: &dyn StepError| {
        let message = format!(
            "cannot ask the {whom} of cluster `{}` for their driver",
            state.cluster
        );
        CliError::new(Exit::Failed, message).because_of_report(&ErrorReport::of(error))
    };
    let obeyed = world.drivers_of(state.cluster_id, &nodes).await;
    let obeyed = obeyed.map_err(|error| failed("nodes", &error))?;
    let makers = world.makers().await;
    let makers = makers.map_err(|error| failed("provider", &error))?;
    Ok(obeyed
        .union(&makers)
        .copied()
        .filter(|driver| !state.drivers.contains(driver))
        .collect())
}

/// Refuses where the machines say that a driver made them whom neither the history nor `over` has. No node is asked: to be done
/// before anything is recorded, or touched, of a cluster that may be somebody else's by now.
pub(crate) async fn refuse_makers(
    places: &Places,
    spec: &ClusterSpec,
    state: &RunState,
    over: &[Driver],
) -> Result<(), CliError> {
    // Of listed hosts nothing was made: their fences tell.
    if !spec.provider.makes_machines() {
        return Ok(());
    }
    let (tagged, _) = tagged(spec).await?;
    let run = state.run.to_string();
    let mut makers = tagged
        .into_iter()
        .filter(|tagged| tagged.run == run)
        .filter_map(|tagged| tagged.driver);
    match makers.find(|maker| !state.drivers.contains(maker) && !over.contains(maker)) {
        None => Ok(()),
        Some(maker) => {
            Err(refused(places, state, "nothing was done", "resume").because(made_by_stranger(maker)))
        }
    }
}

/// Refuses what is asked of a cluster that is somebody else's; what that came to, and the command that takes it over.
fn refused(places: &Places, state: &RunState, came_to: &str, command: &str) -> CliError {
    let run = state.run.to_string();
    CliError::refused(format!(
        "cluster `{}` is driven by somebody whom this journal does not know: {came_to}",
        state.cluster
    ))
    .hint("use the journal of that driver")
    .hint(format!(
        "if that is lost: {}",
        places.command(&[command, &run, "--take-over"])
    ))
}

fn made_by_stranger(maker: Driver) -> String {
    format!(
        "a machine was made by a driver of epoch {}, which is not in this journal",
        maker.epoch
    )
}

/// Before a cluster is destroyed by who comes from elsewhere now: is let in, sees that nobody else has the cluster, and only then
/// shuts the doors of before. The machines are asked who made them before any door is touched.
pub(crate) async fn readmitted(places: &Places, world: &World, state: &RunState) -> Result<(), CliError> {
    guard_made(places, world, state).await?;
    let closed = |error: &ProviderError| {
        let message = format!("cannot let you in to cluster `{}`", world.spec().cluster);
        CliError::new(Exit::Failed, message).because_of_report(&ErrorReport::of(error))
    };
    let (provider, owner) = (world.provider(), world.owner());
    // Machines that nobody made are behind no groups of the cluster's.
    let launcher = provider.launcher();
    if let Some(launcher) = launcher {
        launcher.let_in(owner).await.map_err(|error| closed(&error))?;
    }
    guard(places, world, state).await?;
    let Some(launcher) = launcher else {
        return Ok(());
    };
    // Rules are found by their tags, whatever becomes of this process.
    let done = launcher.readmit(owner, &mut Vec::new()).await;
    done.map_err(|error| closed(&error))
}

/// Refuses where another driver has the cluster, as its nodes say.
pub(crate) async fn guard(places: &Places, world: &World, state: &RunState) -> Result<(), CliError> {
    // A look only: a node goes over to this driver once the history has it.
    let nodes = mesosflow_steps::reachable(state);
    match world.drivers_of(state.cluster_id, &nodes).await {
        Ok(drivers) => {
            if let Some(driver) = drivers.into_iter().find(|driver| !world.knows(driver)) {
                return Err(refused_destroy(places, state).because(format!(
                    "a node obeys a driver of epoch {}, which is not in this journal",
                    driver.epoch
                )));
            }
        }
        // It may be what is to be deleted; before each deletion this is asked again, and said.
        Err(error) => tracing::info!(%error, "no node can be asked for its driver"),
    }
    guard_made(places, world, state).await
}

/// The same as the machines themselves say, before any node answers.
async fn guard_made(places: &Places, world: &World, state: &RunState) -> Result<(), CliError> {
    let makers = world.makers().await.map_err(|error| {
        let message = format!("cannot look at the machines of cluster `{}`", state.cluster);
        CliError::new(Exit::Failed, message).because_of_report(&ErrorReport::of(&error))
    })?;
    match makers.into_iter().find(|maker| !world.knows(maker)) {
        None => Ok(()),
        Some(maker) => Err(refused_destroy(places, state).because(made_by_stranger(maker))),
    }
}

fn refused_destroy(places: &Places, state: &RunState) -> CliError {
    refused(places, state, "nothing was deleted", "destroy")
}
