//! `replay`: steps of a run again.

use std::sync::Arc;

use clap::Args;
use mesosflow_workflow::{
    Heritage, ItemKey, Purpose, Replay, ReplayRefused, Run, RunState, StepId, StepState, SystemClock,
};

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
    runs::refuse_busy(&journal, &found).await?;
    clusters::refuse_stopped(app, &found)?;
    refuse_outdated(app, &found, &args.from)?;
    let (replay, range) = check(app, &found.state, args)?;
    refuse_parted(app, &found.state, &replay.from)?;
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
    let adopter = session::adopter(Purpose::Drive, &found.state, Vec::new());
    let rehearsal = Run::rehearse(Arc::new(SystemClock), found.state.clone(), adopter).await;
    let rehearsal = rehearsal.map_err(|error| CliError::from(&error))?;
    request(&rehearsal, &found, replay.clone(), &spec).await?;
    session::rehearse(app, &found, rehearsal, spec.clone(), &stop).await?;
    let (run, progress) = session::adopt(app, journal, &found, Purpose::Drive, Vec::new()).await?;
    if let Err(error) = request(&run, &found, replay, &spec).await {
        progress.end().await;
        return Err(error);
    }
    session::drive(app, run, progress, Driving::new(found.others(), spec, stop)).await
}

/// Has a run that was taken over begin the replay.
async fn request(run: &Run, found: &Found, replay: Replay, spec: &ClusterSpec) -> Result<(), CliError> {
    let replay = session::reconcile(run).await?.renamed(replay);
    amend::record(run, found, spec).await?;
    let begun = run.replay_on(replay, heritage(found, spec)?).await;
    begun.map_err(|error| CliError::from(&error))
}

/// What other runs have made of the cluster since its deploy, which is replayed on it as it is by now.
fn heritage(found: &Found, spec: &ClusterSpec) -> Result<Heritage, CliError> {
    if !found.is_founder() {
        return Ok(Heritage::default());
    }
    let mut heritage = found.record.heritage();
    if heritage.spec.is_some() {
        let unwritable = |error| CliError::usage("the spec cannot be written as JSON").because_of(&error);
        heritage.spec = Some(serde_json::to_value(spec).map_err(unwritable)?);
    }
    Ok(heritage)
}

/// Refuses a run that would act on the cluster as it was then, since others have acted on it after it: only that which made the cluster takes
/// over what they have done. One that deletes the cluster is gone on with.
fn refuse_outdated(app: &App, found: &Found, from: &str) -> Result<(), CliError> {
    let state = &found.state;
    let workflow = wiring::workflow_of(state)?;
    let id = state.run.to_string();
    if workflow.ends_cluster() {
        let refused = CliError::refused(format!("run `{id}` deletes cluster `{}`", state.cluster));
        let resume = app.places.command(&["resume", &id]);
        return Err(refused.hint(format!("to go on with that: {resume}")));
    }
    let newest = found.record.newest();
    if workflow.inherits() || newest.run == state.run {
        return Ok(());
    }
    let undone = state.spec["run"].as_str().unwrap_or("RUN");
    let whom: &[&str] = match workflow.name() {
        "add-slaves" => &["N"],
        "remove-slaves" | "replace-node" | "adopt" => &["NAME"],
        "rollback" => &[undone],
        _ => &[],
    };
    let words = [&[workflow.name()], whom, &["--cluster", &state.cluster]].concat();
    let refused = CliError::refused(format!(
        "run `{id}` is one of `{}`, and knows cluster `{}` as it was then",
        state.workflow, state.cluster
    ))
    .because(format!(
        "run `{}` of `{}` was driven since",
        newest.run, newest.workflow
    ))
    .hint(format!("to do it again: {}", app.places.command(&words)));
    Err(match session::replay_of_founder(app, found, from) {
        Some(replay) => refused.hint(format!(
            "or to replay what made the cluster, as it is now: {replay}"
        )),
        None => refused,
    })
}

/// Refuses steps that would act on machines which the run itself has deleted by now.
fn refuse_parted(app: &App, state: &RunState, from: &StepId) -> Result<(), CliError> {
    let Some(first) = wiring::first_acts(state, from) else {
        return Ok(());
    };
    let id = state.run.to_string();
    let replay = app.places.command(&["replay", &id, "--from", first.as_str()]);
    Err(CliError::refused(format!(
        "step `{from}` comes before `{first}`: run `{id}` has deleted machines that it was about"
    ))
    .hint(format!("to replay what comes after: {replay}")))
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
    // The first step of a replay is what the user has named.
    let named = |step: &StepState| {
        let is_first = range.first().is_some_and(|first| first.entry.id == step.entry.id);
        wiring::formats(&step.entry.id).filter(|_| is_first)
    };
    let is_loss = |step: &&StepState| step.entry.destructive || named(step).is_some();
    let destructive = range
        .iter()
        .filter(|step| is_loss(step) && step.skipped.is_none());
    let spec = found.spec()?;
    let is_founder = found.is_founder();
    let machines = |step: &StepState| -> String {
        let roles = wiring::launches(&step.entry.id).into_iter();
        let places = roles.flat_map(|role| spec.places(role).into_iter().map(move |index| (role, index)));
        // Any other run has machines of its own alone.
        let is_own = |name: &String| is_founder || step.items.contains_key(&ItemKey::from(name.as_str()));
        let names: Vec<_> = places
            .map(|(role, index)| role.node_name(&spec.cluster, index))
            .filter(is_own)
            .collect();
        match names.is_empty() {
            true => String::new(),
            false => format!(": {}", names.join(", ")),
        }
    };
    Ok(destructive
        .map(|step| {
            let title = match named(step) {
                Some(hdfs) => format!("the {hdfs} HDFS is formatted, whatever is in it"),
                None => step.entry.title.trim_end_matches('.').to_owned(),
            };
            format!(
                "step `{}` of cluster `{}` destroys data: {title}{}",
                step.entry.id,
                found.state.cluster,
                machines(step)
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
