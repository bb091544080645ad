//! `plan`: what `run` would do.

use clap::Args;
use serde::Serialize;

use crate::app::App;
use crate::args::SpecArgs;
use crate::config::{Configured, Surroundings, configure};
use crate::error::CliError;
use crate::render::table::table;
use crate::wiring::{self, Plan};

/// Show what `run` would do, and do nothing
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    spec: SpecArgs,
}

#[derive(Serialize)]
struct PlanView<'a> {
    cluster: &'a str,
    provider: &'a str,
    warnings: &'a [String],
    #[serde(flatten)]
    plan: &'a Plan,
}

/// Needs neither journal nor provider.
pub(crate) fn plan(app: &App, args: &PlanArgs) -> Result<(), CliError> {
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
    let steps = plan.steps.iter().map(|step| {
        let reason = step
            .reason
            .as_deref()
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        vec![
            step.id.to_string(),
            step.notes.clone(),
            step.title.clone(),
            format!("{}{reason}", step.action),
        ]
    });
    app.ui.line(&table(&["step", "notes", "does", "plan"], steps))?;
    let creates = plan
        .creates
        .iter()
        .map(|made| vec![made.kind.clone(), made.name.clone(), made.detail.clone()]);
    app.ui.line("")?;
    app.ui.line(&table(&["creates", "name", ""], creates))
}
