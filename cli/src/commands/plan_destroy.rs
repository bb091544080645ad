//! `plan destroy`: what `destroy` would do.

use clap::Args;
use mesosflow_workflow::{ClusterId, RunId};
use serde::Serialize;

use super::destroy::{frozen, meant};
use crate::app::App;
use crate::error::CliError;
use crate::render::plan::steps;
use crate::render::table::table;
use crate::runs::Found;
use crate::takedown;
use crate::wiring::{self, DestroyPlan, Workflow};

/// Show what `destroy` would do to a cluster, by the journal alone
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanDestroyArgs {
    /// The id of the run that made the cluster, or the beginning of it; by default the only one whose cluster exists
    #[arg(conflicts_with = "cluster")]
    run: Option<String>,
    /// The cluster's name
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
}

#[derive(Serialize)]
struct PlanView<'a> {
    workflow: &'static str,
    cluster: &'a str,
    cluster_id: ClusterId,
    provider: &'a str,
    /// The run that would be gone on with; none where one would begin.
    run: Option<RunId>,
    /// The unfinished run that would be closed first.
    closes: Option<RunId>,
    warnings: &'a [String],
    #[serde(flatten)]
    plan: &'a DestroyPlan,
}

/// Asks no provider: what else carries the cluster's tags, only `destroy` itself finds.
pub(crate) async fn plan_destroy(app: &App, args: &PlanDestroyArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let row = meant(app, &journal, args.run.as_deref(), args.cluster.as_deref()).await?;
    let found = Found::look(&journal, row).await?;
    let spec = takedown::spec(app, &found, &app.cluster_dir(&found.cluster()))?;
    let unfinished = found.record.unfinished();
    let ends = unfinished.is_some_and(|run| wiring::workflow_of(run).is_ok_and(Workflow::ends_cluster));
    let (begun, closes) = match ends {
        true => (unfinished, None),
        false => (None, unfinished.map(|run| run.run)),
    };
    let plan = frozen(&found, spec).plan(begun);
    let mut warnings: Vec<_> = takedown::lost_data(&found).into_iter().collect();
    if found.held {
        warnings.push("a run of the cluster is driven now: `destroy` would be refused".to_owned());
    }
    if !found.row.owns_cluster && plan.deletes.is_empty() {
        warnings.push("the cluster was destroyed: its provider would be asked again, and what has come to exist since ended".to_owned());
    }
    let begun = begun.map(|run| run.run);
    if app.ui.json {
        return app.ui.document(&PlanView {
            workflow: wiring::DestroyWorkflow.name(),
            cluster: &found.row.cluster,
            cluster_id: found.row.cluster_id,
            provider: &found.row.provider,
            run: begun,
            closes,
            warnings: &warnings,
            plan: &plan,
        });
    }
    for warning in &warnings {
        app.ui.warn(warning);
    }
    if let Some(run) = closes {
        app.ui
            .line(&format!("run {run} is closed first: it is unfinished\n"))?;
    }
    if let Some(run) = begun {
        app.ui.line(&format!("run {run} is gone on with\n"))?;
    }
    app.ui.line(&steps(&plan.steps))?;
    app.ui.line("")?;
    let deletes = plan.deletes.iter();
    let deletes = deletes.map(|thing| vec![thing.kind.clone(), thing.name.clone(), thing.id.clone()]);
    app.ui.line(&table(&["deletes", "name", "id"], deletes))?;
    if !plan.in_doubt.is_empty() {
        app.ui.line(&format!(
            "\nin doubt, and waited for: {}",
            plan.in_doubt.join(", ")
        ))?;
    }
    Ok(())
}
