//! `resume`: on with a run that stopped.

use clap::Args;
use mesosflow_workflow::{Driver, Phase, Purpose, RunRow, Settings};

use crate::amend::{self, AmendArgs};
use crate::app::App;
use crate::clusters;
use crate::error::CliError;
use crate::runs::{self, Found};
use crate::session::{self, Driving};
use crate::wiring::{self, Journal, Verified};

/// Go on with a run that stopped, exactly where it stopped
#[derive(Debug, Clone, Args)]
pub(crate) struct ResumeArgs {
    /// The run's id, or the beginning of it
    #[arg(required_unless_present = "last", conflicts_with = "last")]
    run: Option<String>,
    /// The newest run that is not finished
    #[arg(long)]
    last: bool,
    /// Use recorded outcomes although this program computes other inputs for their steps
    #[arg(long)]
    accept_drift: bool,
    /// Take the cluster over although its nodes know a newer driver, whose journal this one is an older copy of
    #[arg(long)]
    take_over: bool,
    /// Do not ask before taking over
    #[arg(long, short, requires = "take_over")]
    yes: bool,
    #[command(flatten)]
    amend: AmendArgs,
}

/// The drivers that the cluster's nodes obey, or that made its machines, and this journal does not have; asks before they are passed over.
async fn strangers(
    app: &App,
    found: &Found,
    spec: &Verified,
    args: &ResumeArgs,
) -> Result<Vec<Driver>, CliError> {
    let id = found.row.run.to_string();
    let cluster = found.cluster();
    let folder = app.cluster_dir(&cluster);
    let strangers = wiring::strangers(spec, &cluster, &folder).await?;
    let Some(newest) = strangers.iter().map(|driver| driver.epoch).max() else {
        app.ui
            .note("neither nodes nor machines know a driver of this cluster that this journal does not have");
        return Ok(strangers);
    };
    let losses = [
        format!(
            "nodes of cluster `{}` obey, or its machines were made by, a driver of epoch {newest} that is not in this \
             journal; its own last one had epoch {}. What that driver did is not in this journal either: steps that it \
             has done are looked for, and machines by their tags",
            found.state.cluster, found.state.epoch
        ),
        "see first that no such driver is still at work: its commands are ended".to_owned(),
    ];
    let command = app.places.command(&["resume", &id, "--take-over"]);
    app.ui.confirm(&losses, &command, args.yes)?;
    Ok(strangers)
}

/// The run to go on with. Of them all the newest one that something is left of; an address that is given anew concerns the newest
/// cluster, where nothing is.
async fn meant(app: &App, journal: &Journal, args: &ResumeArgs) -> Result<RunRow, CliError> {
    if args.run.is_some() {
        return runs::choose(app, journal, args.run.as_deref()).await;
    }
    let rows = journal.runs().await?;
    let newest = rows.last().cloned().ok_or_else(|| app.no_run())?;
    let readmits = !args.amend.admin_cidr.is_empty();
    let meant = runs::newest_left(&rows).or_else(|| {
        let clusters = rows.iter().rev().filter(|row| readmits && runs::has_cluster(row));
        clusters.into_iter().next()
    });
    let Some(meant) = meant else {
        let mut over = CliError::refused("no run is unfinished: there is nothing to resume");
        over = over.because(format!(
            "the newest one, run `{}`, a {} of cluster `{}`, {}",
            newest.run,
            newest.workflow,
            newest.cluster,
            runs::ended(newest.summary.phase)
        ));
        if runs::has_cluster(&newest) {
            let id = newest.run.to_string();
            let replay = app.places.command(&["replay", &id, "--from", "STEP"]);
            over = over.hint(format!("to run steps of it again: {replay}"));
        }
        return Err(over);
    };
    if meant.run != newest.run {
        app.ui.note(&format!(
            "run {}, a {} of cluster `{}`, is the newest one that is not finished; run {}, a {} of cluster `{}`, is newer, and {}",
            meant.run,
            meant.workflow,
            meant.cluster,
            newest.run,
            newest.workflow,
            newest.cluster,
            runs::ended(newest.summary.phase)
        ));
    }
    Ok(meant.clone())
}

/// A deploy is not gone on with on a cluster that other runs have changed since: a replay of it is, which takes over what they have done.
fn refuse_changed(app: &App, found: &Found, amend: &AmendArgs) -> Result<(), CliError> {
    let is_founder = found.is_founder();
    if !is_founder || found.record.heritage().is_empty() {
        return Ok(());
    }
    let (changed, run) = (found.record.shaper(), found.row.run.to_string());
    let refused = CliError::refused(format!(
        "cluster `{}` is another one than run `{run}` has left: run `{}`, a {}, has changed it since",
        found.row.cluster, changed.run, changed.workflow
    ));
    let replay = |step: &str, rest: &[String]| {
        let words = ["replay", &run, "--from", step];
        let words = words.into_iter().chain(rest.iter().map(String::as_str));
        app.places.command(&words.collect::<Vec<_>>())
    };
    if !amend.admin_cidr.is_empty() {
        let (_, steps) = found.spec()?.admission();
        let step = steps.first().map_or("security-groups", |step| step.as_str());
        let rest = [vec!["--only".to_owned()], amend.words()].concat();
        return Err(refused.hint(format!(
            "to be let in, on the cluster as it is now: {}",
            replay(step, &rest)
        )));
    }
    let open = found.state.open().next().map(|step| step.entry.id.as_str());
    let refused = match open {
        Some(open) => refused.hint(format!(
            "to do what is left, on the cluster as it is now: {}",
            replay(open, &[])
        )),
        None => refused,
    };
    Err(match found.state.phase.kind().is_unfinished() {
        true => refused.hint(format!(
            "to end it where it stands: {}",
            app.places.command(&["close", &run])
        )),
        false => refused,
    })
}

/// The spec comes from the journal, never from today's flags, but for what may be given anew.
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
    let row = meant(app, &journal, args).await?;
    let found = Found::look(&journal, row).await?;
    runs::refuse_busy(&journal, &found).await?;
    session::refuse_ended(app, &found)?;
    if found.state.phase == Phase::Partial {
        clusters::refuse_stopped(app, &found)?;
    }
    if found.state.phase == Phase::Closed {
        let id = found.row.run;
        let mut closed = CliError::refused(format!("run `{id}` was closed: nobody goes on with it"));
        let open = found.state.open().next().map(|step| &step.entry.id);
        closed.hints = session::mends(app, &found, open);
        return Err(closed);
    }
    if found.state.phase == Phase::Succeeded && args.amend.admin_cidr.is_empty() {
        let id = found.row.run.to_string();
        let error = CliError::refused(format!("run `{id}` has succeeded: there is nothing to resume"));
        let replay = app.places.command(&["replay", &id, "--from", "STEP"]);
        let inherits = wiring::workflow_of(&found.state)?.inherits();
        return Err(match inherits || found.record.newest().run == found.row.run {
            true => error.hint(format!("to run steps of it again: {replay}")),
            false => error,
        });
    }
    refuse_changed(app, &found, &args.amend)?;
    let spec = amend::amended(app, found.spec()?, &args.amend)?;
    let spec = wiring::verify(spec).await?;
    let workflow = wiring::workflow_of(&found.state)?;
    if !workflow.ends_cluster() {
        wiring::precheck(&spec).await?;
    }
    let over = match args.take_over {
        true => strangers(app, &found, &spec, args).await?,
        false => Vec::new(),
    };
    if !args.amend.admin_cidr.is_empty() {
        wiring::refuse_makers(&app.places, &spec, &found.cluster(), &over).await?;
    }
    let stop = session::heard(app)?;
    let (run, progress) = session::adopt(app, journal, &found, Purpose::Drive, over).await?;
    session::reconcile(&run).await?;
    amend::record(&run, &found, &spec).await?;
    let driving = Driving {
        readmits: !workflow.admits() && !args.amend.admin_cidr.is_empty(),
        settings: Settings {
            accept_drift: args.accept_drift,
            ..Settings::default()
        },
        ..Driving::new(found.others(), spec, stop)
    };
    session::drive(app, run, progress, driving).await
}
