//! `close`: a run is ended where it stands.

use std::sync::Arc;

use clap::Args;
use mesosflow_workflow::{ClusterId, Purpose, Run, RunId, StepId, SystemClock};
use serde::Serialize;

use crate::app::App;
use crate::error::CliError;
use crate::runs::{self, Found};
use crate::session;

/// End an unfinished run where it stands: nobody goes on with it, and its cluster is free for other runs
#[derive(Debug, Clone, Args)]
pub(crate) struct CloseArgs {
    /// The run's id, or the beginning of it
    run: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

#[derive(Serialize)]
struct Closed<'a> {
    run: RunId,
    workflow: &'a str,
    cluster: &'a str,
    cluster_id: ClusterId,
    /// Steps without a valid outcome.
    open: &'a [StepId],
    /// What mends what is left undone.
    next: &'a [String],
}

/// Changes nothing but the journal: what the run has made stays as it is.
pub(crate) async fn close(app: &App, args: &CloseArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let row = runs::choose(app, &journal, Some(&args.run)).await?;
    let found = Found::look(&journal, row).await?;
    runs::refuse_held(&journal, &found).await?;
    let (run, state) = (found.row.run, &found.state);
    if state.destroyed || !state.phase.kind().is_unfinished() {
        return Err(CliError::refused(format!(
            "run `{run}` is {}: there is nothing to close",
            runs::word(state.phase.kind(), found.held)
        )));
    }
    let left: Vec<_> = state.open().map(|step| step.entry.id.to_string()).collect();
    let losses = [
        format!(
            "run `{run}`, a {} of cluster `{}`, is ended where it stands, and cannot be resumed",
            state.workflow, state.cluster
        ),
        format!(
            "{} of its {} steps are left undone: {}",
            left.len(),
            state.steps.len(),
            left.join(", ")
        ),
    ];
    let id = run.to_string();
    app.ui
        .confirm(&losses, &app.places.command(&["close", &id]), args.yes)?;
    let adopter = session::adopter(Purpose::Close, state, Vec::new());
    let held = Run::adopt(journal, Arc::new(SystemClock), run, adopter, Arc::new(|_| {})).await?;
    let open = held.close().await.map_err(|error| CliError::from(&error))?;
    drop(held);
    let next = session::mends(app, &found, open.first());
    if app.ui.json {
        return app.ui.document(&Closed {
            run,
            workflow: &state.workflow,
            cluster: &state.cluster,
            cluster_id: state.cluster_id,
            open: &open,
            next: &next,
        });
    }
    app.ui.line(&format!(
        "run {run} is closed, and {} of its {} steps are left undone: {}",
        open.len(),
        state.steps.len(),
        left.join(", ")
    ))?;
    next.iter().try_for_each(|next| app.ui.line(next))
}
