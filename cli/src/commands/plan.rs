//! `plan`: what `run` would do; `plan stop`, `plan add-slaves` and so on: what these would.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::plan_change::{
    self, PlanAddSlavesArgs, PlanAdoptArgs, PlanRedeployArgs, PlanRemoveSlavesArgs, PlanReplaceNodeArgs,
    PlanRollbackArgs, PlanStartArgs, PlanStopArgs,
};
use super::plan_configure::{self, PlanConfigureArgs};
use super::plan_destroy::{self, PlanDestroyArgs};
use crate::app::App;
use crate::args::SpecArgs;
use crate::config::{Configured, Surroundings, configure};
use crate::error::CliError;
use crate::render::plan::steps;
use crate::render::table::table;
use crate::wiring::{self, Plan};

/// Show what `run`, or another workflow, would do, and do nothing
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(subcommand)]
    of: Option<PlanOf>,
}

/// The workflows that act on a cluster which exists.
#[derive(Debug, Clone, Subcommand)]
enum PlanOf {
    Stop(PlanStopArgs),
    Start(PlanStartArgs),
    AddSlaves(PlanAddSlavesArgs),
    Adopt(PlanAdoptArgs),
    RemoveSlaves(PlanRemoveSlavesArgs),
    ReplaceNode(PlanReplaceNodeArgs),
    Redeploy(PlanRedeployArgs),
    Configure(PlanConfigureArgs),
    Rollback(PlanRollbackArgs),
    Destroy(PlanDestroyArgs),
}

#[derive(Serialize)]
struct PlanView<'a> {
    cluster: &'a str,
    provider: &'a str,
    warnings: &'a [String],
    #[serde(flatten)]
    plan: &'a Plan,
}

/// Needs no provider; what `run` would do needs no journal either.
pub(crate) async fn plan(app: &App, args: &PlanArgs) -> Result<(), CliError> {
    match &args.of {
        None => plan_run(app, args),
        Some(PlanOf::Stop(args)) => plan_change::plan_stop(app, args).await,
        Some(PlanOf::Start(args)) => plan_change::plan_start(app, args).await,
        Some(PlanOf::AddSlaves(args)) => plan_change::plan_add_slaves(app, args).await,
        Some(PlanOf::Adopt(args)) => plan_change::plan_adopt(app, args).await,
        Some(PlanOf::RemoveSlaves(args)) => plan_change::plan_remove_slaves(app, args).await,
        Some(PlanOf::ReplaceNode(args)) => plan_change::plan_replace_node(app, args).await,
        Some(PlanOf::Redeploy(args)) => plan_change::plan_redeploy(app, args).await,
        Some(PlanOf::Configure(args)) => plan_configure::plan_configure(app, args).await,
        Some(PlanOf::Rollback(args)) => plan_change::plan_rollback(app, args).await,
        Some(PlanOf::Destroy(args)) => plan_destroy::plan_destroy(app, args).await,
    }
}

fn plan_run(app: &App, args: &PlanArgs) -> Result<(), CliError> {
    let around = Surroundings::of_process()?;
    let Configured {
        spec,
        mut warnings,
        without_mesos,
    } = configure(app.config.as_deref(), &args.spec, &around)?;
    if let Some(refused) = without_mesos {
        warnings.push(format!(
            "`run` would be refused: {}; {}",
            refused.message,
            refused.hints.join("; ")
        ));
    }
    for warning in &warnings {
        app.ui.warn(warning);
    }
    let plan = wiring::plan(&spec);
    if app.ui.json {
        let (cluster, provider) = (&*spec.cluster, spec.provider.as_str());
        return app.ui.document(&PlanView {
            cluster,
            provider,
            warnings: &warnings,
            plan: &plan,
        });
    }
    app.ui.line(&steps(&plan.steps))?;
    let creates = plan
        .creates
        .iter()
        .map(|made| vec![made.kind.clone(), made.name.clone(), made.detail.clone()]);
    app.ui.line("")?;
    app.ui.line(&table(&["creates", "name", ""], creates))
}
