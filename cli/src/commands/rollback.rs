//! `rollback`: a run that was not ended is undone.

use std::num::NonZeroU32;
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;
use mesosflow_workflow::{Phase, Purpose, Resource, Run, RunState, SystemClock};
use serde::de::DeserializeOwned;

use super::{start, stop};
use crate::app::App;
use crate::clusters::{self, ClusterArgs};
use crate::error::CliError;
use crate::runs::{self, Found};
use crate::session;
use crate::wiring::{
    self, AddSlavesSpec, ConfigureSpec, Journal, KeepSlavesSpec, Machine, Member, NewConfiguration, Node,
    RedeploySpec, RemoveSlavesSpec, ReplaceNodeSpec, RollbackSpec, RollbackWorkflow, Undo, Verified,
};

/// Undo a run that was not ended: what it added is removed, what it was about to take away stays
#[derive(Debug, Clone, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// What is undone, be it only in a plan.
#[derive(Debug, Clone, Args)]
pub(super) struct WhatArgs {
    /// The run's id, or the beginning of it; by default the cluster's unfinished run, or its last where that was closed
    run: Option<String>,
    /// How long tasks on slaves that go again may take to end by themselves; what is left then is ended
    #[arg(long, value_name = "SECONDS", default_value = "600")]
    drain_timeout: NonZeroU32,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// A run that is undone, and its cluster.
pub(super) struct Ground {
    /// The run that is undone.
    pub(super) undone: Found,
    /// The cluster as its record has it.
    cluster: RunState,
    /// The spec in force.
    spec: Verified,
    /// The nodes of the cluster as it was before.
    nodes: Vec<Node>,
    /// Their machines.
    pub(super) machines: Vec<Machine>,
}

impl Ground {
    /// What of a configuration that was begun would be put back, and on which nodes.
    pub(super) async fn configured(
        &self,
        app: &App,
        undo: &ConfigureSpec,
    ) -> Result<NewConfiguration, CliError> {
        let folder = app.cluster_dir(&self.cluster);
        let world = wiring::open_outside(self.spec.clone(), &self.cluster, &folder).await?;
        let made = (undo.image.as_ref(), undo.groups.as_ref());
        wiring::new_configuration(&world, (&undo.before, &undo.cluster), &self.nodes, made).await
    }
}

/// An undoing that could begin.
pub(super) struct Ready {
    pub(super) ground: Ground,
    /// The cluster as it is to be.
    pub(super) target: Verified,
    pub(super) frozen: RollbackSpec,
    /// What it costs.
    pub(super) losses: Vec<String>,
}

/// Everything that can be refused is refused before the run is closed.
pub(crate) async fn rollback(app: &App, args: &RollbackArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let Ready {
        ground,
        target,
        frozen,
        losses,
    } = ready(app, &journal, &args.what).await?;
    let id = ground.undone.row.run.to_string();
    app.ui
        .confirm(&losses, &app.places.command(&["rollback", &id]), args.yes)?;
    let cluster = &ground.cluster;
    wiring::refuse_strangers(&app.places, &ground.spec, cluster, &app.cluster_dir(cluster)).await?;
    let heard = session::heard(app)?;
    close(&journal, &ground.undone).await?;
    let founder = founder(&journal, &ground.undone).await?;
    session::begin(
        app,
        journal,
        &founder,
        (&RollbackWorkflow, &frozen),
        target,
        heard,
    )
    .await
}

/// Looks at the run, and at what of the cluster it has changed.
pub(super) async fn ready(app: &App, journal: &Journal, what: &WhatArgs) -> Result<Ready, CliError> {
    let undone = meant(app, journal, what).await?;
    session::refuse_ended(app, &undone)?;
    runs::refuse_held(journal, &undone).await?;
    refuse_whole(app, &undone)?;
    let founder = founder(journal, &undone).await?;
    // Of a run that had come to its end before, and whose replay is undone, what is in force is its own.
    let spec = wiring::verify(founder.spec_before(undone.row.run)?).await?;
    wiring::precheck(&spec).await?;
    let cluster = founder.cluster();
    let ground = Ground {
        machines: wiring::machines(&spec, &cluster).await?,
        nodes: wiring::reachable(&cluster),
        cluster,
        undone,
        spec,
    };
    let (target, by, losses) = undo(app, &ground, what).await?;
    let frozen = RollbackSpec {
        cluster: target.clone().into_spec(),
        run: ground.undone.row.run,
        undoes: ground.undone.state.workflow.clone(),
        without: Vec::new(),
        by,
    };
    Ok(Ready {
        ground,
        target,
        frozen,
        losses,
    })
}

/// The run that is to be undone.
async fn meant(app: &App, journal: &Journal, args: &WhatArgs) -> Result<Found, CliError> {
    if args.run.is_some() {
        return Found::look(journal, runs::choose(app, journal, args.run.as_deref()).await?).await;
    }
    let founder = clusters::founded(app, journal, &args.cluster).await?;
    let rows = journal.runs().await?;
    let newest = founder.record.newest();
    let closed = Some(newest).filter(|run| run.phase == Phase::Closed);
    let meant = founder.record.unfinished().or(closed);
    let row = meant.and_then(|run| rows.into_iter().find(|row| row.run == run.run));
    match row {
        Some(row) => Found::look(journal, row).await,
        None => Err(CliError::refused(format!(
            "no run of cluster `{}` is unfinished: there is nothing to undo",
            founder.row.cluster
        ))
        .hint("`mesosflow list` shows the runs")),
    }
}

/// The cluster of a run, by the run that made it.
async fn founder(journal: &Journal, of: &Found) -> Result<Found, CliError> {
    let founder = of.record.founder().run;
    let rows = journal.runs().await?;
    let row = rows.into_iter().find(|row| row.run == founder);
    Found::look(journal, row.unwrap_or_else(|| of.row.clone())).await
}

/// Refuses what has come to its end, and what has no undo.
fn refuse_whole(app: &App, undone: &Found) -> Result<(), CliError> {
    let (run, workflow, cluster) = (undone.row.run, &undone.state.workflow, &undone.row.cluster);
    let id = run.to_string();
    let resume = || format!("to go on with it: {}", app.places.command(&["resume", &id]));
    if !session::UNDOABLE.contains(&workflow.as_str()) {
        return Err(CliError::refused(format!(
            "run `{run}` is a {workflow} of cluster `{cluster}`, which has no undo"
        ))
        .hint(resume())
        .hint(format!(
            "or to end it where it stands: {}",
            app.places.command(&["close", &id])
        )));
    }
    let ended = |what: &str| CliError::refused(format!("run `{run}`, a {workflow}, {what}"));
    match undone.state.phase {
        Phase::Succeeded | Phase::Partial => {
            let inverse = match workflow.as_str() {
                "remove-slaves" => Some("`mesosflow add-slaves N`"),
                "stop" => Some("`mesosflow start`"),
                "start" => Some("`mesosflow stop`"),
                "redeploy" => Some("`mesosflow redeploy` with the Mesos of before"),
                "configure" => Some("`mesosflow configure` with the file of before"),
                // The machine of before is gone.
                "replace-node" => None,
                _ => Some("`mesosflow remove-slaves NAME`"),
            };
            let refused = ended("has come to its end: there is nothing to undo");
            Err(match inverse {
                Some(inverse) => refused.hint(format!("what does the opposite: {inverse}")),
                None => refused,
            })
        }
        // Others may have built on it since.
        Phase::Closed if undone.record.newest().run != run => Err(ended(
            "was closed, and another run was driven since: it cannot be undone any more",
        )),
        _ => Ok(()),
    }
}

/// Ends the run where it stands, if it is not ended.
async fn close(journal: &Journal, undone: &Found) -> Result<(), CliError> {
    if !undone.state.phase.kind().is_unfinished() {
        return Ok(());
    }
    let adopter = session::adopter(Purpose::Close, &undone.state, Vec::new());
    let clock = Arc::new(SystemClock);
    let held = Run::adopt(journal.clone(), clock, undone.row.run, adopter, Arc::new(|_| {})).await?;
    held.close()
        .await
        .map(drop)
        .map_err(|error| CliError::from(&error))
}

/// The cluster as it is to be, how that comes to be, and what it costs.
async fn undo(
    app: &App,
    ground: &Ground,
    args: &WhatArgs,
) -> Result<(Verified, Undo, Vec<String>), CliError> {
    let state = &ground.undone.state;
    let cluster = &state.cluster;
    match state.workflow.as_str() {
        "remove-slaves" => keeping(app, ground, read(&ground.undone)?),
        "replace-node" => staying(app, ground, read(&ground.undone)?),
        "redeploy" => rolling(ground, read(&ground.undone)?),
        "configure" => Ok(configuring(ground, read(&ground.undone)?, args)),
        "stop" => {
            let founder = Found {
                state: ground.undone.record.founder().clone(),
                ..ground.undone.clone()
            };
            let frozen = start::frozen(app, &founder, &ground.spec, &ground.machines)?;
            let costs =
                format!("cluster `{cluster}` is started again: its machines, and all that it did before");
            Ok((ground.spec.clone(), Undo::Starting(Box::new(frozen)), vec![costs]))
        }
        "start" => {
            let frozen = stop::frozen(&ground.spec, ground.nodes.clone(), &ground.machines, &[]);
            let costs = format!(
                "cluster `{cluster}` does no work until `start`: its daemons end, then its machines stop"
            );
            Ok((ground.spec.clone(), Undo::Stopping(Box::new(frozen)), vec![costs]))
        }
        _ => removing(app, ground, read(&ground.undone)?, args).await,
    }
}

/// What a run was to add is removed: its nodes as slaves that leave, and machines that never got so far. A machine that had joined by
/// itself leaves nothing: the cluster forgets it, and it goes on as it did before.
async fn removing(
    app: &App,
    ground: &Ground,
    added: AddSlavesSpec,
    args: &WhatArgs,
) -> Result<(Verified, Undo, Vec<String>), CliError> {
    let (undone, cluster) = (&ground.undone, &ground.cluster);
    let members = added.cluster.members().into_iter();
    let members: Vec<_> = members
        .filter(|member| !added.adding.contains(&member.index))
        .collect();
    let target = ground.spec.clone();
    let target = target
        .clone()
        .changed_to(target.into_spec().with_members(members));
    let adopts = undone.state.workflow == "adopt";
    let leaving = match adopts {
        true => Vec::new(),
        false => wiring::awaited(&undone.state),
    };
    let world = wiring::open_outside(target.clone(), cluster, &app.cluster_dir(cluster)).await?;
    let answering = wiring::answering(&world, &leaving).await;
    let name = wiring::Role::Slave;
    let names: Vec<_> = added
        .adding
        .iter()
        .map(|index| name.node_name(&undone.row.cluster, *index))
        .collect();
    let resources = made_for(&undone.state, if adopts { &[] } else { &names });
    let (run, cluster_name, listed) = (undone.row.run, &undone.row.cluster, names.join(", "));
    let mut losses = match adopts {
        true => vec![format!(
            "{listed} is no node of cluster `{cluster_name}` any more: its machine goes on as one that joined by itself"
        )],
        false => vec![
            format!("what run `{run}` has added to cluster `{cluster_name}` is removed again: {listed}"),
            "its machines end, with what is on their disks, once others have it".to_owned(),
        ],
    };
    // What its files would meet with is told as far as they are known by now; the steps see to it in any case.
    if !leaving.is_empty()
        && let Ok(outlook) = wiring::leaving(&world, &leaving, &ground.nodes).await
    {
        losses.extend(outlook);
    }
    let silent = leaving.iter().filter(|node| !answering.contains(&node.name));
    let removal = RemoveSlavesSpec {
        cluster: target.clone().into_spec(),
        nodes: without_them(&ground.nodes, &names),
        silent: silent.map(|node| node.name.clone()).collect(),
        leaving,
        without: Vec::new(),
        resources,
        image: Some(added.image),
        groups: Some(added.groups),
        file_systems: added.file_systems,
        drain_timeout_s: args.drain_timeout.get().into(),
        lower_replication: true,
    };
    // Nobody holds the run: whoever made these calls is gone, and makes none any more.
    let mut effects: Vec<_> = undone.state.effects.values().cloned().collect();
    effects
        .iter_mut()
        .for_each(|effect| effect.abandoned(Timestamp::now()));
    let undo = Undo::Removing {
        added: if adopts { Vec::new() } else { names },
        effects,
        removal: Box::new(removal),
    };
    Ok((target, undo, losses))
}

/// The nodes that are not called so: who leaves is not among those that stay, however far its addition got.
fn without_them(nodes: &[Node], names: &[String]) -> Vec<Node> {
    let stays = |node: &&Node| !names.contains(&node.name);
    nodes.iter().filter(stays).cloned().collect()
}

/// What a run has made for these nodes, as far as it still exists: nothing else is there to be deleted, whatever it has seen.
fn made_for(state: &RunState, names: &[String]) -> Vec<Resource> {
    let made = state.traces.iter().filter(|trace| trace.exists);
    let made = made.map(|trace| trace.resource.clone());
    made.filter(|resource| wiring::is_of(resource, names)).collect()
}

/// What was about to leave stays, as far as it is still there.
fn keeping(
    app: &App,
    ground: &Ground,
    removal: RemoveSlavesSpec,
) -> Result<(Verified, Undo, Vec<String>), CliError> {
    let is_there = |node: &&Node| {
        let mut machines = ground.machines.iter();
        machines.any(|machine| machine.instance.name == node.name && !machine.is_gone)
    };
    // Whose machine the removal has not ended is a node of the cluster again, be that machine gone: it is passed over, and told.
    let stays = |node: &&Node| !wiring::has_ended(&ground.undone.state, node);
    let returning: Vec<_> = removal.leaving.iter().filter(stays).cloned().collect();
    let run = ground.undone.row.run.to_string();
    if !returning.iter().any(|node| is_there(&node)) {
        return Err(CliError::refused(format!(
            "of what run `{run}` was to remove nothing is left: it cannot be undone"
        ))
        .hint(format!(
            "to bring it to its end: {}",
            app.places.command(&["resume", &run])
        )));
    }
    let mut members = removal.cluster.members();
    let before = ground.spec.members().into_iter();
    let returns = |member: &Member| returning.iter().any(|node| node.index == member.index);
    members.extend(before.filter(returns));
    let target = ground.spec.clone();
    let target = target
        .clone()
        .changed_to(target.into_spec().with_members(members));
    let names = |nodes: &[Node]| {
        let names: Vec<_> = nodes.iter().map(|node| node.name.clone()).collect();
        names.join(", ")
    };
    let (there, lost): (Vec<_>, Vec<_>) = returning.iter().cloned().partition(|node| is_there(&node));
    let mut losses = vec![format!(
        "cluster `{}` keeps {}: datanodes and agents are in service again",
        ground.undone.row.cluster,
        names(&there)
    )];
    if !lost.is_empty() {
        losses.push(format!(
            "its machine is gone, and it is passed over until `mesosflow replace-node` launches another: {}",
            names(&lost)
        ));
    }
    let gone: Vec<_> = removal
        .leaving
        .iter()
        .filter(|node| !returning.contains(node))
        .cloned()
        .collect();
    if !gone.is_empty() {
        losses.push(format!("gone already, and not brought back: {}", names(&gone)));
    }
    let keeping = KeepSlavesSpec {
        nodes: removal.nodes.iter().chain(&returning).cloned().collect(),
        returning,
        image: removal.image,
        groups: removal.groups,
        file_systems: removal.file_systems,
    };
    Ok((target, Undo::Keeping(Box::new(keeping)), losses))
}

/// What was to be replaced stays, while its machine is still there: the one that takes its place may be called the same.
fn staying(
    app: &App,
    ground: &Ground,
    replacing: ReplaceNodeSpec,
) -> Result<(Verified, Undo, Vec<String>), CliError> {
    let (node, cluster) = (replacing.node, &ground.undone.row.cluster);
    let is_there = |machine: &Machine| machine.instance.id == node.id && !machine.is_gone;
    let ends = wiring::exchanges(&ground.undone.state);
    if ends || !ground.machines.iter().any(is_there) {
        let run = ground.undone.row.run.to_string();
        return Err(CliError::refused(format!(
            "the machine that {} had before is gone, or about to go: run `{run}` cannot be undone any more",
            node.name
        ))
        .hint(format!(
            "to bring it to its end: {}",
            app.places.command(&["resume", &run])
        )));
    }
    let cost = format!(
        "cluster `{cluster}` keeps {} on the machine that it has",
        node.name
    );
    let is_slave = node.role == wiring::Role::Slave;
    let keeping = KeepSlavesSpec {
        nodes: replacing.nodes.into_iter().chain([node.clone()]).collect(),
        returning: if is_slave { vec![node] } else { Vec::new() },
        image: Some(replacing.image),
        groups: Some(replacing.groups),
        file_systems: replacing.file_systems,
    };
    Ok((ground.spec.clone(), Undo::Keeping(Box::new(keeping)), vec![cost]))
}

/// The Mesos of before is rolled out, wherever it is not still.
fn rolling(ground: &Ground, redeploy: RedeploySpec) -> Result<(Verified, Undo, Vec<String>), CliError> {
    let target = ground.spec.clone();
    let cost = format!(
        "cluster `{}` goes back to {}: what has another one starts anew, node by node",
        ground.undone.row.cluster, redeploy.before.version
    );
    let rolling = RedeploySpec {
        cluster: target.clone().into_spec(),
        known: Some(redeploy.before.clone()),
        without: Vec::new(),
        silenced: wiring::rolled(&ground.undone.state, wiring::Role::Slave),
        ..redeploy
    };
    Ok((target, Undo::Rolling(Box::new(rolling)), vec![cost]))
}

/// The configuration of before is put back, wherever it is not still.
fn configuring(ground: &Ground, configure: ConfigureSpec, args: &WhatArgs) -> (Verified, Undo, Vec<String>) {
    let now = ground.spec.clone();
    // The spec in force lets in whom the run that was driven last lets in: the one that is undone.
    let target = match configure.moves_doors {
        true => now
            .clone()
            .changed_to(now.into_spec().told_like(&configure.before)),
        false => now,
    };
    let mut losses = vec![format!(
        "cluster `{}` gets the configuration of before: what runs with another one starts anew, in turns",
        ground.undone.row.cluster
    )];
    if !configure.anew.is_empty() {
        losses.push(format!(
            "agents that have begun anew do so once more, and tasks that run there after {} s are ended: {}",
            args.drain_timeout,
            configure.anew.join(", ")
        ));
    }
    let configuring = ConfigureSpec {
        cluster: target.clone().into_spec(),
        moves_doors: target.admins() != configure.cluster.admins(),
        before: configure.cluster,
        without: Vec::new(),
        drain_timeout_s: args.drain_timeout.get().into(),
        ..configure
    };
    (target, Undo::Configuring(Box::new(configuring)), losses)
}

/// What was frozen into the run that is undone.
fn read<T: DeserializeOwned>(undone: &Found) -> Result<T, CliError> {
    serde_json::from_value(undone.state.spec.clone()).map_err(|error| {
        CliError::refused(format!(
            "this mesosflow cannot read the spec of run `{}`",
            undone.row.run
        ))
        .because_of(&error)
    })
}
