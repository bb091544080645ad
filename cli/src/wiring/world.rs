//! The world of a run, and what is taken down in it.

use std::path::Path;

use mesosflow_steps::cluster::ClusterSpec;
use mesosflow_steps::outside::Outside;
use mesosflow_steps::record::Record;
use mesosflow_steps::remote::Lineage;
use mesosflow_steps::{DestroyError, KeyExpected, Ledger, Verified, World, WorldError};
use mesosflow_workflow::{ErrorReport, FencingToken, Resource, RunId, RunState};

use super::provider::{because_of_each, owned, verify};
use crate::error::CliError;
use crate::exit::Exit;

/// What a provider has of a run, and what it was asked for.
pub(crate) struct Look {
    pub(crate) owned: Vec<Resource>,
    pub(crate) asked: String,
    /// Whether a launch that was never answered may still bring a machine.
    pub(crate) may_come: bool,
    /// Of what is owned: volumes that outlive their machines.
    pub(crate) data_volumes: Vec<Resource>,
}

/// Looks what is there of a run, outside the fence.
pub(crate) async fn look(spec: ClusterSpec, state: &RunState, folder: &Path) -> Result<Look, CliError> {
    let spec = verify(spec).await?;
    let opened = World::open(spec, state.run, folder, None, &key_if_kept(state)).await;
    let world = opened.map_err(|error| {
        closed(
            &error,
            format!("cannot look what is left of run `{}`", state.run),
            Exit::Failed,
        )
    })?;
    let data_volumes = world.provider().data_volumes(world.owner()).await;
    let data_volumes = data_volumes.map_err(|error| {
        let message = format!("cannot look which volumes of run `{}` there are", state.run);
        CliError::new(Exit::Failed, message).because_of_report(&ErrorReport::of(&error))
    })?;
    Ok(Look {
        data_volumes,
        owned: owned(&world).await?,
        asked: world.provider().asked(),
        may_come: mesosflow_steps::may_come(state, world.provider()),
    })
}

/// A world that cannot be opened.
pub(super) fn closed(error: &WorldError, message: String, exit: Exit) -> CliError {
    let mut cli = CliError::new(exit, message).because_of(error);
    cli.hints.extend(error.hint());
    cli
}

/// Everything that the steps of a run may touch.
pub(crate) async fn open_world(
    spec: Verified,
    state: &RunState,
    folder: &Path,
    token: FencingToken,
    key: &KeyExpected,
) -> Result<World, CliError> {
    let driver = (token, Lineage::from_iter(state.drivers.iter().copied()));
    let opened = World::open(spec, state.run, folder, Some(driver), key).await;
    let nodes = mesosflow_steps::reachable(state);
    opened.map(|world| world.guarded_by(nodes)).map_err(|error| {
        let message = format!("cannot begin with run `{}`", state.run);
        closed(&error, message, Exit::Interrupted)
    })
}

/// A world with what all runs of its cluster know of its machines.
pub(crate) fn remembering(world: World, record: &Record) -> World {
    let world = world.remembering(mesosflow_steps::memory(&record.cluster(), record.runs()));
    match record.is_stopped() {
        // Nobody there could say who drives it.
        true => world.guarded_by(Vec::new()),
        false => world,
    }
}

/// What is known of the cluster's key: once nodes may have one, there is no other.
pub(crate) fn key_of(state: &RunState) -> KeyExpected {
    mesosflow_steps::key_of(state)
}

/// The same where nobody has to log in.
pub(crate) fn key_if_kept(state: &RunState) -> KeyExpected {
    match mesosflow_steps::key_of(state) {
        KeyExpected::MustExist { public, .. } => KeyExpected::MayBeLost { public },
        _ => KeyExpected::MayBeLost { public: None },
    }
}

/// What the steps of a run may touch, outside the fence: for what is done to one node that leaves the cluster.
pub(crate) async fn open_outside(spec: Verified, state: &RunState, folder: &Path) -> Result<World, CliError> {
    let opened = World::open(spec, state.run, folder, None, &key_of(state)).await;
    opened.map_err(|error| {
        let message = format!("cannot log in to the nodes of run `{}`", state.run);
        closed(&error, message, Exit::Failed)
    })
}

/// The way to a cluster's nodes for everyday commands: outside the fence, and without asking the provider.
pub(crate) fn outside(spec: &ClusterSpec, state: &RunState, folder: &Path) -> Result<Outside, CliError> {
    let opened = Outside::open(&spec.cluster, folder, &key_of(state));
    opened.map_err(|error| {
        let message = format!("cannot log in to the nodes of cluster `{}`", spec.cluster);
        closed(&error, message, Exit::Failed)
    })
}

/// Deletes what a ledger knows and what carries the run's tags; `observe` is told of each deletion.
pub(crate) async fn delete(
    ledger: &Ledger<'_>,
    run: RunId,
    world: &World,
    observe: &mut (dyn FnMut(&Resource) + Send),
) -> Result<Vec<Resource>, CliError> {
    let destroyed = mesosflow_steps::destroy(ledger, world, observe)
        .await
        .map_err(|error| {
            if let DestroyError::Record(record) = &error {
                return CliError::from(record);
            }
            let exit = match &error {
                DestroyError::Fenced(_) | DestroyError::Stranger { .. } => Exit::Refused,
                _ => Exit::Failed,
            };
            let message = format!("cannot delete everything that run `{run}` created");
            because_of_each(CliError::new(exit, message), &error)
        })?;
    Ok(destroyed.deleted)
}
