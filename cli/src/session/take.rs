//! A run is taken into this process's hands: adopted, or begun.

use std::sync::Arc;

use mesosflow_workflow::{
    Adopter, CatalogueChange, Driver, NewRun, Purpose, Run, RunId, RunState, Stop, SystemClock,
};
use serde::Serialize;

use crate::app::App;
use crate::error::CliError;
use crate::render::progress::Announcer;
use crate::runs::Found;
use crate::signals::stop_on_signals;
use crate::wiring::{self, Journal, Workflow};

/// This process, as one that takes over what was found.
pub(crate) fn adopter(purpose: Purpose, found: &RunState, over: Vec<Driver>) -> Adopter {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Adopter {
        purpose,
        pid: std::process::id(),
        host: host.trim().to_owned(),
        seen: Some(found.seq),
        over,
    }
}

/// Ctrl-C as who is about to take a run hears it: from before the lease on, so that a run which was taken says how it ended.
pub(crate) fn heard(app: &App) -> Result<Stop, CliError> {
    let (stop, voice) = (Stop::default(), app.voice.clone());
    stop_on_signals(stop.clone(), move |text| voice.say(text))?;
    Ok(stop)
}

/// Takes a run over, and begins to show its progress.
pub(crate) async fn adopt(
    app: &App,
    journal: Journal,
    found: &Found,
    purpose: Purpose,
    over: Vec<Driver>,
) -> Result<(Run, Announcer), CliError> {
    let progress = Announcer::begin(app.ui, Some(found.state.clone()));
    let adopter = adopter(purpose, &found.state, over);
    match Run::adopt(
        journal,
        Arc::new(SystemClock),
        found.row.run,
        adopter,
        progress.observer(),
    )
    .await
    {
        Ok(run) => Ok((run, progress)),
        Err(error) => {
            progress.end().await;
            Err(CliError::from(error).about(found.row.run, found.row.run))
        }
    }
}

/// Begins a new run of a workflow on a cluster that is there.
pub(crate) async fn create(
    app: &App,
    journal: Journal,
    found: &Found,
    (workflow, spec): (&dyn Workflow, &impl Serialize),
    over: Vec<Driver>,
) -> Result<(Run, Announcer), CliError> {
    let unwritable = |error| CliError::usage("the spec cannot be written as JSON").because_of(&error);
    let frozen = serde_json::to_value(spec).map_err(unwritable)?;
    let new = NewRun {
        workflow: workflow.name().to_owned(),
        cluster: found.row.cluster.clone(),
        cluster_id: found.row.cluster_id,
        provider: found.row.provider.clone(),
        catalogue: workflow.catalogue(&frozen).map_err(unwritable)?,
        spec: frozen,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        over,
    };
    let progress = Announcer::begin(app.ui, None);
    let (clock, observer) = (Arc::new(SystemClock), progress.observer());
    match Run::create(journal, clock, RunId::generate(), new, observer).await {
        Ok(run) => Ok((run, progress)),
        Err(error) => {
            progress.end().await;
            Err(error.into())
        }
    }
}

/// Lets this program's catalogue take the place of the recorded one, where they differ; whoever observes the run is told.
pub(crate) async fn reconcile(run: &Run) -> Result<CatalogueChange, CliError> {
    let catalogue = wiring::catalogue_of(&run.state())?;
    let changed = run.reconcile(env!("CARGO_PKG_VERSION"), &catalogue).await;
    changed
        .map(Option::unwrap_or_default)
        .map_err(|error| CliError::from(&error))
}
