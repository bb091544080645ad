//! A run in this process's hands, from its taking to its end: what `run`, `resume` and `replay` share.

use std::sync::Arc;

use mesosflow_workflow::{
    Accepted, Adopter, CatalogueChange, Drift, Driver, Epoch, ErrorReport, OLDEST_DRIVEN, Outcome, Phase,
    Purpose, Replay, Run, RunError, RunState, Settings, StepId, Stop, SystemClock,
};

use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::progress::Announcer;
use crate::render::view::StatusView;
use crate::render::{duration, phases, report, status};
use crate::runs::Found;
use crate::signals::stop_on_signals;
use crate::wiring::{self, Journal, LockedOut, Verified};

/// This process, as one that takes over what was found.
pub(crate) fn adopter(purpose: Purpose, found: &Found, over: Vec<Driver>) -> Adopter {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Adopter {
        purpose,
        pid: std::process::id(),
        host: host.trim().to_owned(),
        seen: Some(found.state.seq),
        over,
    }
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
    let adopter = adopter(purpose, found, over);
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

/// Lets this program's catalogue take the place of the recorded one, where they differ; whoever observes the run is told.
pub(crate) async fn reconcile(run: &Run) -> Result<CatalogueChange, CliError> {
    let changed = run
        .reconcile(env!("CARGO_PKG_VERSION"), &wiring::catalogue())
        .await;
    changed
        .map(Option::unwrap_or_default)
        .map_err(|error| CliError::from(&error))
}

/// Prints the run's id, drives the run to its end and tells how that was.
pub(crate) async fn drive(
    app: &App,
    run: Run,
    progress: Announcer,
    spec: Verified,
    settings: Settings,
) -> Result<(), CliError> {
    let stop = Stop::default();
    stop_on_signals(stop.clone(), progress.voice())?;
    app.voice.through(progress.voice());
    // The cluster is worth more than the reader of the output.
    let _read = app.ui.line(&run.id().to_string());
    let (outcome, locked_out) = match begin(app, &run, spec).await {
        Ok(world) => {
            let world = Arc::new(world);
            let outcome = match world.hold_all().await {
                Err(fenced) => wiring::give_way(&run, &fenced).await,
                Ok(()) => wiring::drive(&run, world.clone(), settings, stop.clone()).await,
            };
            (outcome, world.locked_out())
        }
        Err(error) => (wiring::give_up(&run, &error).await, None),
    };
    let state = run.state();
    drop(run);
    progress.end().await;
    let mut ended = judge(app, &state, outcome, &stop).map_err(|error| error.about(state.run));
    if let (Err(error), Some(locked_out)) = (&mut ended, locked_out) {
        error.hints.insert(0, let_in(app, &state, &locked_out));
    }
    match tell(app, &state, ended.is_ok()) {
        // What the run came to counts for more than whether its result could be printed.
        Err(unprinted) if ended.is_ok() && !unprinted.is_silent() => Err(unprinted),
        _ => ended,
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

/// Makes the run's folder, begins its log and opens its world.
async fn begin(app: &App, run: &Run, spec: Verified) -> Result<wiring::World, CliError> {
    let run_dir = app.run_dir_with_log(run.id()).map_err(|error| CliError {
        exit: Exit::Interrupted,
        ..error
    })?;
    tracing::info!(run = %run.id(), version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "begins");
    let state = run.state();
    let key = wiring::key_of(&state);
    wiring::open_world(spec, &state, &run_dir, run.token(), &key).await
}

/// Prints what became of the run.
fn tell(app: &App, state: &RunState, succeeded: bool) -> Result<(), CliError> {
    if app.ui.json {
        return app
            .ui
            .object(&StatusView::of(state, false, next(app, state, false)));
    }
    if !succeeded {
        return Ok(());
    }
    let took = duration::between(Some(state.started_at), state.finished_at).map(duration::text);
    // After a take-over, the time since the start says little.
    let took = took
        .filter(|_| state.epoch == Epoch::FIRST)
        .map(|took| format!(" in {took}"))
        .unwrap_or_default();
    if state.phase == Phase::Partial {
        return app.ui.line(&partial(app, state));
    }
    app.ui.line(&format!(
        "cluster `{}` is up: run {} succeeded{took}",
        state.cluster, state.run
    ))?;
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
    let replays = state.check_replay(&replay).is_ok();
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
                "or delete what it made: {}",
                app.places.command(&["destroy", &run])
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

/// The command that gets the run further, if it needs one.
pub(crate) fn next(app: &App, state: &RunState, held: bool) -> Option<String> {
    let run = state.run.to_string();
    if held || (state.destroyed && state.resources.is_empty()) {
        return None;
    }
    if state.destroyed || state.format < OLDEST_DRIVEN {
        return Some(app.places.command(&["destroy", &run]));
    }
    match &state.phase {
        Phase::Succeeded => None,
        Phase::Running | Phase::Partial | Phase::Failed(_) | Phase::Interrupted(_) => {
            Some(app.places.command(&["resume", &run]))
        }
    }
}

/// Refuses what only a deploy allows that still exists and that this program can drive.
pub(crate) fn refuse_ended(app: &App, state: &RunState) -> Result<(), CliError> {
    if !state.destroyed && state.format < OLDEST_DRIVEN {
        let (run, tool_version, format) = (state.run, state.tool_version.clone(), state.format);
        return Err(CliError::from(RunError::OldFormat {
            run,
            tool_version,
            format,
        }));
    }
    if !state.destroyed {
        return Ok(());
    }
    let mut error = CliError::refused(format!("run `{}` was destroyed", state.run));
    if !state.resources.is_empty() {
        let destroy = app.places.command(&["destroy", &state.run.to_string()]);
        error
            .hints
            .push(format!("some of it is left; to delete that: {destroy}"));
    }
    Err(error.hint(format!(
        "to bring up a new cluster: {}",
        app.places.command(&["run", "--cluster", &state.cluster])
    )))
}
