//! `replay`: steps of a run again.

use clap::Args;
use mesosflow_workflow::{Heritage, Purpose, Replay, ReplayRefused, RunState, StepId, StepState};

use crate::amend::{self, AmendArgs};
use crate::app::App;
use crate::clusters;
use crate::error::CliError;
use crate::runs::{self, Found};
use crate::session::{self, Driving};
use crate::wiring::{self, ClusterSpec};

/// Run steps of a run again, from one on
#[derive(Debug, Clone, Args)]
pub(crate) struct ReplayArgs {
    /// The run's id, or the beginning of it; by default that which made the cluster
    run: Option<String>,
    /// The first step to run again
    #[arg(long, value_name = "STEP")]
    from: String,
    /// The last step to run again; by default the last of all
    #[arg(long, value_name = "STEP", conflicts_with = "only")]
    to: Option<String>,
    /// Run only that one step again
    #[arg(long)]
    only: bool,
    /// Do not ask before a destructive step
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    amend: AmendArgs,
}

/// Everything that can be refused is refused on the history as it stands, before the run is taken over.
pub(crate) async fn replay(app: &App, args: &ReplayArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let row = match &args.run {
        Some(run) => runs::choose(app, &journal, Some(run)).await?,
        None => runs::founder(app, journal.runs().await?, |_| true)?,
    };
    let found = Found::look(&journal, row).await?;
    session::refuse_ended(app, &found)?;
    refuse_whole(app, &found, &args.from)?;
    let (replay, range) = check(app, &found.state, args)?;
    runs::refuse_busy(&journal, &found).await?;
    clusters::refuse_stopped(app, &found)?;
    let losses = losses(&found, range)?;
    if !losses.is_empty() {
        app.ui.confirm(&losses, &command(app, args), args.yes)?;
    }
    if let Some(outage) = wiring::outage(range) {
        app.ui.warn(&outage);
    }
    let spec = amend::amended(app, found.spec()?, &args.amend)?;
    let spec = wiring::verify(spec).await?;
    wiring::precheck(&spec).await?;
    if !args.amend.admin_cidr.is_empty() {
        wiring::refuse_makers(&app.places, &spec, &found.cluster(), &[]).await?;
    }
    let stop = session::heard(app)?;
    let (run, progress) = session::adopt(app, journal, &found, Purpose::Drive, Vec::new()).await?;
    let replay = session::reconcile(&run).await?.renamed(replay);
    amend::record(&run, &found, &spec).await?;
    if let Err(error) = run.replay_on(replay, heritage(&found, &spec)?).await {
        progress.end().await;
        return Err(CliError::from(&error));
    }
    session::drive(app, run, progress, Driving::new(found.others(), spec, stop)).await
}

/// What other runs have made of the cluster since its deploy, which is replayed on it as it is by now.
fn heritage(found: &Found, spec: &ClusterSpec) -> Result<Heritage, CliError> {
    if found.state.run != found.record.founder().run {
        return Ok(Heritage::default());
    }
    let mut heritage = found.record.heritage();
    if heritage.spec.is_some() {
        let unwritable = |error| CliError::usage("the spec cannot be written as JSON").because_of(&error);
        heritage.spec = Some(serde_json::to_value(spec).map_err(unwritable)?);
    }
    Ok(heritage)
}

/// Refuses a run of a workflow that is done as a whole or not at all.
fn refuse_whole(app: &App, found: &Found, from: &str) -> Result<(), CliError> {
    let state = &found.state;
    let workflow = wiring::workflow_of(state)?;
    if workflow.replays() {
        return Ok(());
    }
    let refused = CliError::refused(format!(
        "run `{}` is one of `{}`, of which no part can be done by itself",
        state.run, state.workflow
    ));
    let (id, is_unfinished) = (state.run.to_string(), state.phase.kind().is_unfinished());
    let again = match is_unfinished {
        true => app.places.command(&["resume", &id]),
        false => {
            let whom: &[&str] = match workflow.name() {
                "add-slaves" => &["N"],
                "remove-slaves" | "replace-node" | "adopt" => &["NAME"],
                _ => &[],
            };
            let words = [&[workflow.name()], whom, &["--cluster", &state.cluster]].concat();
            app.places.command(&words)
        }
    };
    let refused = refused.hint(format!("to do it: {again}"));
    let Some(replay) = session::replay_of_founder(app, found, from) else {
        return Err(refused);
    };
    let replay = match is_unfinished {
        // One run of a cluster is unfinished at a time.
        true => format!("{}, then {replay}", app.places.command(&["close", &id])),
        false => replay,
    };
    Err(refused.hint(format!("or to replay what made the cluster: {replay}")))
}

/// What is to be replayed, and the steps it runs.
fn check<'a>(
    app: &App,
    state: &'a RunState,
    args: &ReplayArgs,
) -> Result<(Replay, &'a [StepState]), CliError> {
    let replay = Replay {
        from: runs::step(state, &args.from)?,
        to: args.to.as_deref().map(|to| runs::step(state, to)).transpose()?,
        only: args.only,
    };
    match state.check_replay(&replay) {
        Ok(range) => Ok((replay, &state.steps[range])),
        Err(ReplayRefused::UnknownStep(step)) => {
            Err(CliError::usage(format!("the run has no step `{step}`"))
                .hint("`mesosflow status` shows them"))
        }
        Err(ReplayRefused::EndsBeforeItBegins) => {
            let to = args.to.as_deref().unwrap_or_default();
            Err(CliError::usage(format!(
                "`--to {to}` comes before `--from {}` in the catalogue",
                replay.from
            ))
            .hint("`mesosflow steps` shows their order"))
        }
        Err(ReplayRefused::NoOutcome(open)) => {
            let (id, from) = (state.run.to_string(), &replay.from);
            Err(
                CliError::refused(format!("step `{open}`, before `{from}`, has no outcome yet"))
                    .hint(format!(
                        "bring the run to its end first: {}",
                        app.places.command(&["resume", &id])
                    ))
                    .hint(format!(
                        "or replay from there: {}",
                        app.places.command(&["replay", &id, "--from", open.as_str()])
                    )),
            )
        }
    }
}

/// What is lost by running the steps again: of machines, which.
fn losses(found: &Found, range: &[StepState]) -> Result<Vec<String>, CliError> {
    let destructive = range
        .iter()
        .filter(|step| step.entry.destructive && step.skipped.is_none());
    let spec = found.spec()?;
    let machines = |step: &StepId| -> String {
        let roles = wiring::launches(step).into_iter();
        let places = roles.flat_map(|role| spec.places(role).into_iter().map(move |index| (role, index)));
        let names: Vec<_> = places
            .map(|(role, index)| role.node_name(&spec.cluster, index))
            .collect();
        match names.is_empty() {
            true => String::new(),
            false => format!(": {}", names.join(", ")),
        }
    };
    Ok(destructive
        .map(|step| {
            let title = step.entry.title.trim_end_matches('.');
            format!(
                "step `{}` of cluster `{}` destroys data: {title}{}",
                step.entry.id,
                found.state.cluster,
                machines(&step.entry.id)
            )
        })
        .collect())
}

/// The command line again, to be completed with `--yes`.
fn command(app: &App, args: &ReplayArgs) -> String {
    let mut words = vec!["replay"];
    words.extend(args.run.as_deref());
    words.extend(["--from", &args.from]);
    if let Some(to) = &args.to {
        words.extend(["--to", to]);
    }
    if args.only {
        words.push("--only");
    }
    let amend = args.amend.words();
    words.extend(amend.iter().map(String::as_str));
    app.places.command(&words)
}
