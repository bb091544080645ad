//! What a run leads to: the command that goes on with it, or mends it, or that there is none.

use mesosflow_workflow::{OLDEST_DRIVEN, Phase, RunError, RunState, StepId};

use crate::app::App;
use crate::error::CliError;
use crate::runs::Found;
use crate::wiring::{self, Workflow};

/// The workflows that have an undo.
pub(crate) const UNDOABLE: [&str; 8] = [
    "add-slaves",
    "adopt",
    "remove-slaves",
    "replace-node",
    "redeploy",
    "configure",
    "stop",
    "start",
];

/// The way back from what a run has done so far, if its workflow has one.
pub(super) fn undoing(app: &App, state: &RunState) -> Option<String> {
    let is_through = wiring::exchanges(state) || wiring::has_parted(state);
    let is_undoable = UNDOABLE.contains(&state.workflow.as_str()) && !is_through;
    let rollback = || app.places.command(&["rollback", &state.run.to_string()]);
    is_undoable.then(|| format!("to undo what it has done: {}", rollback()))
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
    // Nobody has gone on since, and what it has done can be undone.
    let newest = found.record.newest();
    if newest.phase == Phase::Closed && UNDOABLE.contains(&newest.workflow.as_str()) {
        return Some(app.places.command(&["rollback", &newest.run.to_string()]));
    }
    // Whoever went on since had its own way with the nodes that were gone.
    match state.phase {
        Phase::Partial if newest.run != state.run && !passed(state).is_empty() => None,
        _ => next_of(app, state),
    }
}

/// The names of the nodes that a run has gone on without, since their machines were gone.
pub(super) fn passed(state: &RunState) -> Vec<String> {
    let names = state.spec.get("without").cloned().unwrap_or_default();
    let mut names: Vec<String> = serde_json::from_value(names).unwrap_or_default();
    // The one that is replaced is gone by that.
    names.retain(|name| state.spec["node"]["name"] != name.as_str());
    names
}

/// The same of a run alone.
pub(super) fn next_of(app: &App, state: &RunState) -> Option<String> {
    match &state.phase {
        // To resume it would pass over them again.
        Phase::Partial if !passed(state).is_empty() => {
            Some(
                app.places
                    .command(&["replace-node", &passed(state)[0], "--cluster", &state.cluster]),
            )
        }
        Phase::Succeeded | Phase::Closed => None,
        Phase::Running | Phase::Partial | Phase::Failed(_) | Phase::Interrupted(_) => {
            Some(app.places.command(&["resume", &state.run.to_string()]))
        }
    }
}

/// The command that does the step of that name, and what comes after it, as the run that made the cluster has it; none where it is no
/// step of that one.
pub(crate) fn replay_of_founder(app: &App, found: &Found, step: &str) -> Option<String> {
    let founder = found.record.founder();
    let has = founder.steps.iter().any(|known| known.entry.id.as_str() == step);
    has.then(|| {
        app.places
            .command(&["replay", &founder.run.to_string(), "--from", step])
    })
}

/// What mends what a run has left undone when it was closed; `open` is the first such step.
pub(crate) fn mends(app: &App, found: &Found, open: Option<&StepId>) -> Vec<String> {
    let state = &found.state;
    let founder = found.record.founder().run.to_string();
    let destroy = app.places.command(&["destroy", &founder]);
    let workflow = wiring::workflow_of(state).ok();
    let inherits = workflow.is_some_and(Workflow::inherits);
    let run = state.run.to_string();
    let again = |open: &StepId| match state.workflow.as_str() {
        _ if inherits => Some(format!(
            "to do what it left: {}",
            app.places.command(&["replay", &run, "--from", open.as_str()])
        )),
        "stop" | "start" => Some(format!(
            "to do what it left: {}",
            app.places
                .command(&[&state.workflow, "--cluster", &state.cluster])
        )),
        _ => undoing(app, state).or_else(|| {
            let replay = replay_of_founder(app, found, open.as_str())?;
            Some(format!("to do what it left of the set-up: {replay}"))
        }),
    };
    let ends = workflow.is_some_and(Workflow::ends_cluster);
    let replay = open
        .filter(|_| !ends && state.format >= OLDEST_DRIVEN)
        .and_then(again);
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
