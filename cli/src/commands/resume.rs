//! `resume`: on with a run that stopped.

use mesosflow_workflow::{Epoch, Phase, Purpose, Settings};

use crate::app::App;
use crate::args::ResumeArgs;
use crate::error::CliError;
use crate::runs::{self, Found};
use crate::{session, wiring};

/// The spec comes from the journal, never from today's flags.
pub(crate) async fn resume(app: &App, args: &ResumeArgs) -> Result<(), CliError> {
    let Some(journal) = app.existing_journal()? else {
        return Err(match &args.run {
            Some(run) => CliError::usage(format!("no run's id begins with `{run}`")).hint(format!(
                "there is no run in the journal `{}`",
                app.places.journal().display()
            )),
            None => app.no_run(),
        });
    };
    let row = runs::choose(app, &journal, args.run.as_deref()).await?;
    let found = Found::look(&journal, row).await?;
    runs::refuse_held(&journal, &found).await?;
    session::refuse_ended(app, &found.state)?;
    if found.state.phase == Phase::Succeeded {
        let id = found.row.run.to_string();
        let replay = app.places.command(&["replay", &id, "--from", "STEP"]);
        return Err(
            CliError::refused(format!("run `{id}` has succeeded: there is nothing to resume"))
                .hint(format!("to run steps of it again: {replay}")),
        );
    }
    let spec = wiring::frozen_spec(&found.state)?;
    wiring::precheck(&spec).await?;
    let (run, progress) = session::adopt(app, journal, &found, Purpose::Deploy, Epoch(0)).await?;
    session::reconcile(&run).await?;
    let settings = Settings {
        accept_drift: args.accept_drift,
        ..Settings::default()
    };
    session::drive(app, run, progress, spec, settings).await
}
