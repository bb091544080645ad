//! What the outcome of a run means for the user and the exit code.

use mesosflow_workflow::{Accepted, Drift, ErrorReport, Outcome, Phase, Replay, RunState, StepId, Stop};

use super::next::undoing;
use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::wiring::{self, LockedOut, Workflow};

/// The first guess where nobody answers, and the way back in.
pub(super) fn let_in(app: &App, state: &RunState, locked_out: &LockedOut) -> String {
    let [flag, own] = locked_out.flag();
    let again = app
        .places
        .command(&["resume", &state.run.to_string(), &flag, &own]);
    format!("{locked_out}; to give it anew: {again}")
}

/// What the outcome means for the user and the exit code. Whoever may go on may also go back, where there is a way.
pub(super) fn judge(app: &App, state: &RunState, outcome: Outcome, stop: &Stop) -> Result<(), CliError> {
    let can_go_on = matches!(outcome, Outcome::Failed { .. } | Outcome::Interrupted { .. });
    let judged = meaning(app, state, outcome, stop);
    match undoing(app, state).filter(|_| can_go_on) {
        Some(undo) => judged.map_err(|error| error.hint(undo)),
        None => judged,
    }
}

fn meaning(app: &App, state: &RunState, outcome: Outcome, stop: &Stop) -> Result<(), CliError> {
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
    let ends = wiring::workflow_of(state).is_ok_and(Workflow::ends_cluster);
    let is_replayable = !ends && wiring::first_acts(state, step).is_none();
    let replays = is_replayable && state.check_replay(&replay).is_ok();
    if replays {
        let replay = app.places.command(&["replay", &run, "--from", step.as_str()]);
        error = error.hint(format!("to run it and what follows again: {replay}"));
    }
    match drift.accepted {
        // Nobody resumes what has ended.
        Some(_) if state.phase == Phase::Succeeded => error,
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
