//! `plan stop`, `plan start`, `plan add-slaves`: what these would do.

use clap::Args;
use mesosflow_workflow::ClusterId;
use serde::Serialize;

use super::plan_configure::{self, Shown};
use super::stop::{self, WhatArgs};
use super::{add_slaves, adopt, redeploy, remove_slaves, replace_node, rollback, start};
use crate::amend::AmendArgs;
use crate::app::App;
use crate::changes;
use crate::clusters::{self, ClusterArgs};
use crate::error::CliError;
use crate::render::plan::steps;
use crate::render::table::table;
use crate::runs::Found;
use crate::session;
use crate::wiring::{
    AddSlavesWorkflow, AdoptWorkflow, ClusterSpec, Node, PlannedStep, RedeployWorkflow, RemoveSlavesWorkflow,
    ReplaceNodeWorkflow, Role, RollbackWorkflow, StartWorkflow, StopWorkflow, Undo, Workflow, rolled,
};

/// Show what `stop` would do to a cluster, and what that would cost
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanStopArgs {
    #[command(flatten)]
    what: WhatArgs,
}

/// Show what `start` would do to a cluster
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanStartArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Show what `add-slaves` would do to a cluster
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanAddSlavesArgs {
    #[command(flatten)]
    what: add_slaves::WhatArgs,
}

/// Show what `adopt` would do to a cluster
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanAdoptArgs {
    #[command(flatten)]
    what: adopt::WhatArgs,
}

/// Show what `remove-slaves` would do to a cluster, and what that would cost
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanRemoveSlavesArgs {
    #[command(flatten)]
    what: remove_slaves::WhatArgs,
}

/// Show what `replace-node` would do to a cluster, and what that would cost
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanReplaceNodeArgs {
    #[command(flatten)]
    what: replace_node::WhatArgs,
}

/// Show what `redeploy` would do to a cluster, and whose tasks would end
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanRedeployArgs {
    #[command(flatten)]
    what: redeploy::WhatArgs,
}

/// Show what `rollback` would do to a cluster
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanRollbackArgs {
    #[command(flatten)]
    what: rollback::WhatArgs,
}

#[derive(Serialize)]
struct PlanView<'a> {
    workflow: &'static str,
    cluster: &'a str,
    cluster_id: ClusterId,
    provider: &'a str,
    warnings: &'a [String],
    steps: &'a [PlannedStep],
    /// What it would be done to.
    machines: &'a [PlannedMachine<'a>],
}

#[derive(Serialize)]
struct PlannedMachine<'a> {
    name: &'a str,
    id: &'a str,
    /// `stop`, `start`, `launch`, `adopt`, `leave`, `keep`, `terminate`, `roll`, or `roll anew` where tasks end.
    action: &'static str,
}

/// Asks the provider for the machines, and refuses what `stop` would refuse.
pub(crate) async fn plan_stop(app: &App, args: &PlanStopArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let found = clusters::founded(app, &journal, &args.what.cluster).await?;
    let Some(ready) = stop::ready(app, &journal, &found, &args.what).await? else {
        return nothing(app, &found, &StopWorkflow, stop::ALREADY);
    };
    let stopping = ready.frozen.machines.iter();
    let stopping = stopping.map(|machine| (machine.name.as_str(), machine.id.as_str(), "stop"));
    let ending = ready.frozen.ending.iter();
    let ending = ending.map(|machine| (machine.name.as_str(), machine.id.as_str(), "terminate"));
    let machines: Vec<_> = stopping.chain(ending).map(planned).collect();
    let (frozen, losses) = (&ready.frozen, &ready.losses);
    show(
        app,
        &found,
        &frozen.cluster,
        (&StopWorkflow, frozen),
        losses,
        &machines,
    )
}

/// Asks the provider for the machines.
pub(crate) async fn plan_start(app: &App, args: &PlanStartArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let found = clusters::founded(app, &journal, &args.cluster).await?;
    let Some((spec, frozen)) = start::ready(app, &journal, &found, &AmendArgs::default()).await? else {
        return nothing(app, &found, &StartWorkflow, start::ALREADY);
    };
    let starting = frozen.machines.iter();
    let starting = starting.map(|machine| (machine.name.clone(), machine.id.as_str(), "start"));
    let lacking = frozen.lacking.iter();
    let lacking = lacking.map(|place| (place.role.node_name(&spec.cluster, place.index), "", "launch"));
    let named: Vec<_> = starting.chain(lacking).collect();
    let machines = named.iter().map(|(name, id, action)| planned((name, id, action)));
    let machines: Vec<_> = machines.collect();
    let warnings = start::launches(&spec, &frozen);
    show(
        app,
        &found,
        &spec,
        (&StartWorkflow, &frozen),
        &warnings,
        &machines,
    )
}

/// Asks the provider for the machines, and refuses what `add-slaves` would refuse.
pub(crate) async fn plan_add_slaves(app: &App, args: &PlanAddSlavesArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let ready = add_slaves::ready(app, &journal, &args.what).await?;
    let frozen = &ready.frozen;
    let name = |index: &u16| Role::Slave.node_name(&frozen.cluster.cluster, *index);
    let names: Vec<_> = frozen.adding.iter().map(name).collect();
    let machines: Vec<_> = names.iter().map(|name| planned((name, "", "launch"))).collect();
    show(
        app,
        &ready.ground.found,
        &frozen.cluster,
        (&AddSlavesWorkflow, frozen),
        &ready.notes,
        &machines,
    )
}

/// Asks the provider for the machine, and refuses what `adopt` would refuse.
pub(crate) async fn plan_adopt(app: &App, args: &PlanAdoptArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let ready = adopt::ready(app, &journal, &args.what).await?;
    let frozen = &ready.frozen;
    let joined = frozen
        .cluster
        .adopted()
        .filter(|machine| frozen.adding.contains(&machine.index));
    let machines: Vec<_> = joined
        .map(|machine| planned((&*machine.name, &*machine.id, "adopt")))
        .collect();
    let (found, notes) = (&ready.ground.found, [ready.note.clone()]);
    show(
        app,
        found,
        &frozen.cluster,
        (&AdoptWorkflow, frozen),
        &notes,
        &machines,
    )
}

/// Asks provider and nodes, and refuses what `remove-slaves` would refuse.
pub(crate) async fn plan_remove_slaves(app: &App, args: &PlanRemoveSlavesArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let ready = remove_slaves::ready(app, &journal, &args.what).await?;
    let frozen = &ready.frozen;
    let ends = |id: &str| frozen.resources.iter().any(|resource| resource.id == id);
    let machines: Vec<_> = frozen
        .leaving
        .iter()
        .map(|node| {
            (
                node.name.as_str(),
                node.id.as_str(),
                if ends(&node.id) { "terminate" } else { "leave" },
            )
        })
        .map(planned)
        .collect();
    let found = &ready.ground.found;
    show(
        app,
        found,
        &frozen.cluster,
        (&RemoveSlavesWorkflow, frozen),
        &ready.losses,
        &machines,
    )
}

/// Asks provider and nodes, and refuses what `replace-node` would refuse.
pub(crate) async fn plan_replace_node(app: &App, args: &PlanReplaceNodeArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let ready = replace_node::ready(app, &journal, &args.what).await?;
    let (found, frozen) = (&ready.ground.found, &ready.frozen);
    let node = &frozen.node;
    let ends = frozen.resources.iter().any(|resource| resource.id == node.id);
    let action = if ends { "terminate" } else { "leave" };
    let machines = [(&*node.name, &*node.id, action), (&*node.name, "", "launch")].map(planned);
    show(
        app,
        found,
        &frozen.cluster,
        (&ReplaceNodeWorkflow, frozen),
        &ready.losses,
        &machines,
    )
}

/// Asks provider and nodes, and refuses what `redeploy` would refuse.
pub(crate) async fn plan_redeploy(app: &App, args: &PlanRedeployArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let ready = redeploy::ready(app, &journal, &args.what).await?;
    let (found, frozen) = (&ready.ground.found, &ready.frozen);
    if ready.is_there {
        return nothing(app, found, &RedeployWorkflow, redeploy::ALREADY);
    }
    let action = |node: &Node| match frozen.anew.contains(&node.name) {
        true => "roll anew",
        false => "roll",
    };
    let of = |role: Role| frozen.nodes.iter().filter(move |node| node.role == role);
    let machines: Vec<_> = of(Role::Master)
        .chain(of(Role::Slave))
        .map(|node| planned((&*node.name, &*node.id, action(node))))
        .collect();
    show(
        app,
        found,
        &frozen.cluster,
        (&RedeployWorkflow, frozen),
        &ready.losses,
        &machines,
    )
}

/// Asks provider and nodes, and refuses what `rollback` would refuse; closes nothing.
pub(crate) async fn plan_rollback(app: &App, args: &PlanRollbackArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let ready = rollback::ready(app, &journal, &args.what).await?;
    let (frozen, found) = (&ready.frozen, &ready.ground.undone);
    let mut losses = ready.losses.clone();
    if let Undo::Configuring(configuring) = &frozen.by {
        match ready.ground.configured(app, configuring).await {
            Ok(new) => {
                let planned = plan_configure::planned(&RollbackWorkflow, &frozen.cluster, frozen)?;
                let shown = Shown {
                    workflow: RollbackWorkflow.name(),
                    steps: &planned,
                    warnings: &losses,
                    frozen: configuring,
                    changes: &changes::between(&configuring.before, &configuring.cluster)?,
                    new: &new,
                };
                return shown.show(app, found);
            }
            // It goes on without nodes that are gone.
            Err(error) => losses.push(format!(
                "which files it would change is not shown: {}",
                error.causes.join(": ")
            )),
        }
    }
    let mut named = frozen.machines();
    if let Undo::Rolling(_) = &frozen.by {
        // The others have the Mesos of before still, and are passed over.
        let state = &ready.ground.undone.state;
        let begun = [Role::Master, Role::Slave].map(|role| rolled(state, role));
        named.retain(|(name, ..)| begun.iter().flatten().any(|begun| begun == name));
    }
    if let Undo::Keeping(_) | Undo::Rolling(_) = &frozen.by {
        let gone = ready.ground.machines.iter().filter(|machine| machine.is_gone);
        let gone: Vec<_> = gone.map(|machine| &machine.instance.name).collect();
        for (_, _, action) in named.iter_mut().filter(|(name, ..)| gone.contains(&name)) {
            *action = "pass over";
        }
    }
    let machines = named.iter().map(|(name, id, action)| planned((name, id, action)));
    let machines: Vec<_> = machines.collect();
    show(
        app,
        found,
        &frozen.cluster,
        (&RollbackWorkflow, frozen),
        &losses,
        &machines,
    )
}

/// A plan of no step, and why.
fn nothing(app: &App, found: &Found, workflow: &dyn Workflow, why: &str) -> Result<(), CliError> {
    if !app.ui.json {
        return session::told_already(app, found, why);
    }
    app.ui.document(&PlanView {
        workflow: workflow.name(),
        cluster: &found.row.cluster,
        cluster_id: found.row.cluster_id,
        provider: &found.row.provider,
        warnings: &[format!("cluster `{}` {why}", found.row.cluster)],
        steps: &[],
        machines: &[],
    })
}

const fn planned<'a>((name, id, action): (&'a str, &'a str, &'static str)) -> PlannedMachine<'a> {
    PlannedMachine { name, id, action }
}

fn show(
    app: &App,
    found: &Found,
    cluster: &ClusterSpec,
    (workflow, spec): (&dyn Workflow, &impl Serialize),
    warnings: &[String],
    machines: &[PlannedMachine<'_>],
) -> Result<(), CliError> {
    let planned = plan_configure::planned(workflow, cluster, spec)?;
    if app.ui.json {
        return app.ui.document(&PlanView {
            workflow: workflow.name(),
            cluster: &found.row.cluster,
            cluster_id: found.row.cluster_id,
            provider: &found.row.provider,
            warnings,
            steps: &planned,
            machines,
        });
    }
    for warning in warnings {
        app.ui.warn(warning);
    }
    app.ui.line(&steps(&planned))?;
    if machines.is_empty() {
        return Ok(());
    }
    let rows = machines.iter().map(|machine| {
        vec![
            machine.action.to_owned(),
            machine.name.to_owned(),
            machine.id.to_owned(),
        ]
    });
    app.ui.line("")?;
    app.ui.line(&table(&["would", "name", "id"], rows))
}
