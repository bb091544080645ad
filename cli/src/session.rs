//! A run in this process's hands, from its taking to its end: what `run`, `resume` and `replay` share.

use std::sync::Arc;

use mesosflow_workflow::{
    Accepted, Adopter, CatalogueChange, Drift, Driver, ErrorReport, NewRun, OLDEST_DRIVEN, Outcome, Phase,
    Purpose, Replay, Run, RunError, RunId, RunState, Settings, StepId, Stop, SystemClock,
};
use serde::Serialize;

use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::progress::Announcer;
use crate::render::view::{Fate, StatusView};
use crate::render::{duration, phases, report, status};
use crate::runs::Found;
use crate::signals::stop_on_signals;
use crate::wiring::{self, Journal, LockedOut, ProviderKind, Record, Verified, Workflow};

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
            Err(CliError::from(error).about(found.row.run))
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

/// What a run is driven with, beside itself.
pub(crate) struct Driving {
    /// The other runs of its cluster.
    pub(crate) others: Vec<RunState>,
    /// The cluster's spec in force.
    pub(crate) spec: Verified,
    /// Whether the doors are opened for who comes from elsewhere now, before anything else: where no step sees to it.
    pub(crate) readmits: bool,
    pub(crate) settings: Settings,
    /// Ctrl-C, heard since before the run was taken.
    pub(crate) stop: Stop,
}

impl Driving {
    /// With what the run needs, and nothing else.
    pub(crate) fn new(others: Vec<RunState>, spec: Verified, stop: Stop) -> Self {
        Self {
            others,
            spec,
            readmits: false,
            settings: Settings::default(),
            stop,
        }
    }
}

/// How a run ended in this process's hands.
pub(crate) struct Ended {
    pub(crate) state: RunState,
    /// The cluster as its record has it then.
    pub(crate) cluster: RunState,
    pub(crate) result: Result<(), CliError>,
}

/// Prints the run's id, drives the run to its end and tells how that was.
pub(crate) async fn drive(
    app: &App,
    run: Run,
    progress: Announcer,
    driving: Driving,
) -> Result<(), CliError> {
    // The cluster is worth more than the reader of the output.
    let _read = app.ui.line(&run.id().to_string());
    let ended = work(app, run, progress, driving).await?;
    match tell(app, &ended) {
        // What the run came to counts for more than whether its result could be printed.
        Err(unprinted) if ended.result.is_ok() && !unprinted.is_silent() => Err(unprinted),
        _ => ended.result,
    }
}

/// Drives the run to its end.
pub(crate) async fn work(
    app: &App,
    run: Run,
    progress: Announcer,
    driving: Driving,
) -> Result<Ended, CliError> {
    app.voice.through(progress.voice());
    let Driving {
        others,
        spec,
        readmits,
        settings,
        stop,
    } = driving;
    let workflow = wiring::workflow_of(&run.state())?;
    let begun = unless_stopped(&stop, begin(app, &run, &others, spec, readmits)).await;
    let (outcome, locked_out, waits_for) = match begun {
        None => (run.stopped().await, None, None),
        Some(Ok(world)) => {
            let world = Arc::new(world);
            let outcome = match unless_stopped(&stop, world.hold_all()).await {
                None => run.stopped().await,
                Some(Err(fenced)) => wiring::give_way(&run, &fenced).await,
                Some(Ok(())) => workflow.drive(&run, world.clone(), settings, stop.clone()).await,
            };
            (outcome, world.locked_out(), world.waits_for())
        }
        Some(Err(error)) => (wiring::give_up(&run, &error).await, None, None),
    };
    let state = run.state();
    drop(run);
    progress.end().await;
    let mut result = judge(app, &state, outcome, &stop).map_err(|error| error.about(state.run));
    if let Err(error) = &mut result {
        if stop.is_requested() {
            error.causes.extend(waits_for);
        }
        if let Some(locked_out) = locked_out {
            error.hints.insert(0, let_in(app, &state, &locked_out));
        }
    }
    let mut cluster = Record::of(state.clone(), others).cluster();
    cluster.destroyed |= result.is_ok() && workflow.ends_cluster();
    Ok(Ended {
        state,
        cluster,
        result,
    })
}

/// What comes of an act that nothing is lost by leaving in the middle; none where a stop is requested first.
pub(crate) async fn unless_stopped<T>(stop: &Stop, act: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = stop.requested() => None,
        done = act => Some(done),
    }
}

/// The first guess where nobody answers, and the way back in.
fn let_in(app: &App, state: &RunState, locked_out: &LockedOut) -> String {
    let [flag, own] = locked_out.flag();
    let again = app
        .places
        .command(&["resume", &state.run.to_string(), &flag, &own]);
    format!("{locked_out}; to give it anew: {again}")
}

/// Begins the run's log and opens the cluster's world.
async fn begin(
    app: &App,
    run: &Run,
    others: &[RunState],
    spec: Verified,
    readmits: bool,
) -> Result<wiring::World, CliError> {
    let state = run.state();
    let ends = wiring::workflow_of(&state)?.ends_cluster();
    let record = Record::of(state, others.iter().cloned());
    let cluster = record.cluster();
    let (folder, key) = match ends {
        // Nobody has to log in to what is deleted, nor to find its things where they ought to be.
        true => (app.cluster_dir(&cluster), wiring::key_if_kept(&cluster)),
        // Before the log is begun, which the folder may take along.
        false => (app.take_cluster_dir(&cluster), wiring::key_of(&cluster)),
    };
    app.begin_log(run.id()).map_err(|error| CliError {
        exit: Exit::Interrupted,
        ..error
    })?;
    tracing::info!(run = %run.id(), version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "begins");
    let world = wiring::open_world(spec, &cluster, &folder, run.token(), &key).await?;
    let world = wiring::remembering(world, &record);
    if readmits {
        wiring::readmitted(&app.places, &world, &cluster).await?;
    }
    Ok(world)
}

/// Prints what became of the run.
fn tell(app: &App, ended: &Ended) -> Result<(), CliError> {
    let Ended {
        state,
        cluster,
        result,
    } = ended;
    if app.ui.json {
        let next = next_of(app, state);
        let view = StatusView::of(state, cluster, false, Fate::Stays, next);
        return app.ui.object(&view);
    }
    if result.is_err() {
        return Ok(());
    }
    let took = duration::between(Some(state.started_at), state.finished_at).map(duration::text);
    // After a take-over, the time since the start says little.
    let took = took
        .filter(|_| state.drivers.len() == 1)
        .map(|took| format!(" in {took}"))
        .unwrap_or_default();
    if state.phase == Phase::Partial {
        return app.ui.line(&partial(app, state));
    }
    let workflow = wiring::workflow_of(state)?;
    let said = match workflow.ends_cluster() {
        true => taken_down(state, cluster),
        false => format!(
            "cluster `{}` {}: run {} succeeded{took}",
            state.cluster,
            workflow.aim(),
            state.run
        ),
    };
    app.ui.line(&said)?;
    if let Some(report) = wiring::report(state) {
        app.ui.line(&report::text(&report))?;
    }
    let phases = phases::phases(state);
    if phases.is_empty() {
        return Ok(());
    }
    app.ui
        .line(&format!("took            {}", status::phases(&phases)))
}

/// Says that there was nothing to do.
pub(crate) fn told_already(app: &App, found: &Found, why: &str) -> Result<(), CliError> {
    if app.ui.json {
        let cluster = found.cluster();
        let view = StatusView::of(&found.state, &cluster, false, Fate::Stays, None);
        return app.ui.object(&view);
    }
    app.ui.line(&format!("cluster `{}` {why}", found.row.cluster))
}

/// What a destroy has come to.
pub(crate) fn taken_down(state: &RunState, cluster: &RunState) -> String {
    let (deleted, asked) = (wiring::deleted(state), wiring::asked(state));
    taken_down_to(cluster, &state.run.to_string(), deleted.len(), asked.as_deref())
}

/// What was taken down of a cluster, and what was asked of whom: machines of the user's own are given back, not deleted.
pub(crate) fn taken_down_to(cluster: &RunState, run: &str, count: usize, asked: Option<&str>) -> String {
    let is_lent = cluster.provider == ProviderKind::Hosts.as_str();
    let name = &cluster.cluster;
    let mut said = match (is_lent, count) {
        (true, 0) => format!("nothing of cluster `{name}` (run {run}) is left"),
        (true, 1) => format!("cluster `{name}` (run {run}) is stopped, and its key is off 1 host"),
        (true, _) => format!("cluster `{name}` (run {run}) is stopped, and its key is off {count} hosts"),
        (false, 0) => format!("nothing is left of cluster `{name}` (run {run})"),
        (false, 1) => format!("cluster `{name}` (run {run}) is gone: 1 resource deleted"),
        (false, _) => format!("cluster `{name}` (run {run}) is gone: {count} resources deleted"),
    };
    if is_lent {
        said.push_str("; the machines stay, with what is on their disks");
    }
    if let Some(asked) = asked {
        said.push_str(&format!("\nasked {asked}: nothing of it is left"));
    }
    said
}

/// A replay has come to its end, and the cluster is not what the catalogue says: which steps are left, and how to do them.
fn partial(app: &App, state: &RunState) -> String {
    let open: Vec<_> = state.open().map(|step| step.entry.id.clone()).collect();
    let mut lines = vec![format!(
        "the replay of run {} has ended, and cluster `{}` is not complete: {} of {} steps are left",
        state.run,
        state.cluster,
        open.len(),
        state.steps.len()
    )];
    for step in state.open() {
        let why = step.reason().unwrap_or("it has not run");
        lines.push(format!(
            "  {:<24} {}: {why}",
            step.entry.id,
            step.progress.status.as_str()
        ));
    }
    let resume = app.places.command(&["resume", &state.run.to_string()]);
    lines.push(format!("to do what is left: {resume}"));
    lines.join("\n")
}

/// What the outcome means for the user and the exit code.
fn judge(app: &App, state: &RunState, outcome: Outcome, stop: &Stop) -> Result<(), CliError> {
    let run = state.run.to_string();
    let resume = app.places.command(&["resume", &run]);
    match outcome {
        Outcome::Succeeded | Outcome::Partial { .. } => Ok(()),
        Outcome::Failed { step, error } => {
            Err(failed(app, state, &step, &error).hint(format!("to go on: {resume}")))
        }
        Outcome::Fenced { reason } => Err(CliError::refused(format!(
            "run `{run}` may not go on: another driver has taken cluster `{}` over",
            state.cluster
        ))
        .because_of_report(&reason)),
        Outcome::Interrupted { reason } if stop.is_requested() && reason.hint.is_none() => Err(
            CliError::new(Exit::Interrupted, format!("run `{run}` was interrupted"))
                .hint(format!("to go on: {resume}")),
        ),
        Outcome::Interrupted { reason } => Err(CliError::new(
            Exit::Interrupted,
            format!("run `{run}` is paused until somebody helps"),
        )
        .because_of_report(&reason)
        .hint(format!("then go on: {resume}"))),
        Outcome::Drifted(drift) => Err(drifted(app, state, &drift, &resume)),
        Outcome::Lost(lost) => {
            let mut error = CliError::from(&lost);
            error.causes.insert(0, error.message);
            error.message = format!("run `{run}` stopped, since its journal cannot be written");
            Err(error.hint(format!("then go on: {resume}")))
        }
    }
}

/// The first step that does not fit, and the ways out that there are.
fn drifted(app: &App, state: &RunState, drift: &Drift, resume: &str) -> CliError {
    let run = state.run.to_string();
    let step = &drift.step;
    let mut error = CliError::refused(format!(
        "run `{run}` does not fit this mesosflow: step `{step}` has drifted"
    ))
    .because(drift.why.clone());
    let replay = Replay {
        from: step.clone(),
        to: None,
        only: false,
    };
    let is_replayable = wiring::workflow_of(state).is_ok_and(Workflow::replays);
    let replays = is_replayable && state.check_replay(&replay).is_ok();
    if replays {
        let replay = app.places.command(&["replay", &run, "--from", step.as_str()]);
        error = error.hint(format!("to run it and what follows again: {replay}"));
    }
    match drift.accepted {
        Some(Accepted::Counts) => error.hint(format!(
            "to use its recorded outcome all the same: {resume} --accept-drift"
        )),
        Some(Accepted::RunsAgain) => error.hint(format!(
            "to go on as this mesosflow would have it: {resume} --accept-drift"
        )),
        None if replays => error.hint("`--accept-drift` does not help here"),
        None => error
            .hint(format!(
                "use mesosflow {}, which drove it last",
                state.tool_version
            ))
            .hint(format!(
                "or delete the cluster: {}",
                app.places.command(&["destroy", "--cluster", &state.cluster])
            )),
    }
}

fn failed(app: &App, state: &RunState, step: &StepId, error: &ErrorReport) -> CliError {
    let attempts = state.step(step).map_or(0, |step| {
        step.items
            .values()
            .map(|item| item.attempts)
            .chain([step.progress.attempts])
            .max()
            .unwrap_or(0)
    });
    let tries = if attempts > 1 {
        format!(" after {attempts} attempts")
    } else {
        String::new()
    };
    let logs = app
        .places
        .command(&["logs", &state.run.to_string(), step.as_str()]);
    CliError::new(Exit::Failed, format!("step `{step}` failed{tries}"))
        .because_of_report(error)
        .hint(format!("what was done on the nodes: {logs}"))
}

/// The command that gets the run that was found further, if it needs one.
pub(crate) fn next(app: &App, found: &Found, held: bool) -> Option<String> {
    let (state, row) = (&found.state, &found.row);
    if held {
        return None;
    }
    match found.record.unfinished() {
        Some(other) if other.format >= OLDEST_DRIVEN => return next_of(app, other),
        _ => {}
    }
    if !row.owns_cluster && found.record.resources().is_empty() {
        return None;
    }
    let is_dead = !row.owns_cluster || state.destroyed || state.format < OLDEST_DRIVEN;
    if is_dead {
        let founder = found.record.founder().run.to_string();
        return Some(app.places.command(&["destroy", &founder]));
    }
    next_of(app, state)
}

/// The same of a run alone.
fn next_of(app: &App, state: &RunState) -> Option<String> {
    match &state.phase {
        Phase::Succeeded | Phase::Closed => None,
        Phase::Running | Phase::Partial | Phase::Failed(_) | Phase::Interrupted(_) => {
            Some(app.places.command(&["resume", &state.run.to_string()]))
        }
    }
}

/// What mends what a run has left undone when it was closed; `open` is the first such step.
pub(crate) fn mends(app: &App, found: &Found, open: Option<&StepId>) -> Vec<String> {
    let state = &found.state;
    let founder = found.record.founder().run.to_string();
    let destroy = app.places.command(&["destroy", &founder]);
    let workflow = wiring::workflow_of(state).ok();
    let replays = workflow.is_some_and(Workflow::replays);
    let again = |open: &StepId| match replays {
        true => app
            .places
            .command(&["replay", &state.run.to_string(), "--from", open.as_str()]),
        false => app
            .places
            .command(&[&state.workflow, "--cluster", &state.cluster]),
    };
    let ends = workflow.is_some_and(Workflow::ends_cluster);
    let replay = open
        .filter(|_| !ends && state.format >= OLDEST_DRIVEN)
        .map(|open| format!("to do what it left: {}", again(open)));
    replay
        .into_iter()
        .chain([format!("to delete the cluster: {destroy}")])
        .collect()
}

/// Refuses what is of use only for a cluster that still exists, in a run that this program can drive.
pub(crate) fn refuse_ended(app: &App, found: &Found) -> Result<(), CliError> {
    let state = &found.state;
    // What has come to exist since it was gone is ended by another destroy, which can die like every run.
    let is_ending =
        wiring::workflow_of(state).is_ok_and(Workflow::ends_cluster) && state.phase.kind().is_unfinished();
    let is_gone = (state.destroyed || !found.row.owns_cluster) && !is_ending;
    if !is_gone && state.format < OLDEST_DRIVEN {
        let (run, tool_version, format) = (state.run, state.tool_version.clone(), state.format);
        return Err(CliError::from(RunError::OldFormat {
            run,
            tool_version,
            format,
        }));
    }
    if !is_gone {
        return Ok(());
    }
    let mut error = CliError::refused(format!(
        "cluster `{}` of run `{}` was destroyed",
        state.cluster, state.run
    ));
    if !found.record.resources().is_empty() {
        let founder = found.record.founder().run.to_string();
        let destroy = app.places.command(&["destroy", &founder]);
        error
            .hints
            .push(format!("some of it is left; to delete that: {destroy}"));
    }
    Err(error.hint(format!(
        "to bring up a new cluster: {}",
        app.places.command(&["run", "--cluster", &state.cluster])
    )))
}
