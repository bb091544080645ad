//! `resume`: on with a run that stopped.

use mesosflow_workflow::{Epoch, Phase, Purpose, Settings};

use crate::app::App;
use crate::args::ResumeArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::runs::{self, Found};
use crate::wiring::ClusterSpec;
use crate::{session, wiring};

/// The newest epoch that the cluster's nodes know; asks before it is passed over.
async fn newest_driver(
    app: &App,
    found: &Found,
    spec: &ClusterSpec,
    args: &ResumeArgs,
) -> Result<Epoch, CliError> {
    let run_dir = app.places.make_run_dir(found.row.run).map_err(|error| {
        CliError::new(
            Exit::Failed,
            format!("cannot make the folder of run `{}`", found.row.run),
        )
        .because_of(&error)
    })?;
    let newest = wiring::newest_fence(spec, &found.state, &run_dir).await?;
    let ours = found.state.epoch;
    let Some(newest) = newest.filter(|newest| *newest >= ours) else {
        app.ui.note("no node knows a newer driver of this cluster");
        return Ok(Epoch(0));
    };
    let mut losses = vec![format!(
        "the nodes of cluster `{}` obey a driver of epoch {newest}; this journal's last one had epoch {ours}. What that \
         driver did is not in this journal: steps that it has done are looked for, and machines by their tags",
        found.state.cluster
    )];
    losses.push("see first that no such driver is still at work: its commands are ended".to_owned());
    let mut words = vec!["resume", "--take-over"];
    let id = found.row.run.to_string();
    words.insert(1, &id);
    app.ui.confirm(&losses, &app.places.command(&words), args.yes)?;
    Ok(newest)
}

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
    let above = match args.take_over {
        true => newest_driver(app, &found, &spec, args).await?,
        false => Epoch(0),
    };
    let (run, progress) = session::adopt(app, journal, &found, Purpose::Deploy, above).await?;
    session::reconcile(&run).await?;
    let settings = Settings {
        accept_drift: args.accept_drift,
        ..Settings::default()
    };
    session::drive(app, run, progress, spec, settings).await
}
