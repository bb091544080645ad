//! What is printed of a run that has ended.

use mesosflow_workflow::{Phase, RunState};

use super::next::next_of;
use crate::app::App;
use crate::error::CliError;
use crate::notify::Notice;
use crate::render::{duration, report, status};
use crate::runs::Found;
use crate::views::phases::phases;
use crate::views::status::{Fate, StatusView};
use crate::wiring::{self, ProviderKind};

/// How a run ended in this process's hands.
pub(crate) struct Ended {
    pub(crate) state: RunState,
    /// The cluster as its record has it then.
    pub(crate) cluster: RunState,
    pub(crate) result: Result<(), CliError>,
}

/// The run as `status` tells of it.
fn view(app: &App, ended: &Ended) -> StatusView {
    let next = next_of(app, &ended.state);
    StatusView::of(&ended.state, &ended.cluster, false, Fate::Stays, next)
}

/// Begins to tell those who want to know of it that the run has ended. They are waited for once all is printed.
pub(super) fn notify(app: &App, ended: &Ended) {
    if app.channels.is_empty() {
        return;
    }
    let view = view(app, ended);
    let document = match serde_json::to_vec(&view) {
        Ok(document) => document,
        Err(error) => return app.ui.warn(&format!("nobody is told of the run's end: {error}")),
    };
    let notice = Notice {
        run: view.run.run.to_string(),
        cluster: view.run.cluster,
        workflow: view.run.workflow,
        state: view.run.state,
        document: document.into(),
    };
    let ui = app.ui;
    app.notices
        .begin(app.channels.clone(), notice, move |text| ui.warn(text));
}

/// Prints what became of the run.
pub(super) fn tell(app: &App, ended: &Ended) -> Result<(), CliError> {
    let Ended {
        state,
        cluster,
        result,
    } = ended;
    if app.ui.json {
        return app.ui.object(&view(app, ended));
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
    if let Some(mut report) = wiring::report(state) {
        report.login = app.renamed(cluster, &report.login);
        app.ui.line(&report::text(&report))?;
    }
    let phases = phases(state);
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
    let is_lent = ProviderKind::has_lent(&cluster.provider);
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

/// A run has come to its end, and the cluster is not what the catalogue says: which steps are left, and how to do them.
fn partial(app: &App, state: &RunState) -> String {
    let open: Vec<_> = state.open().map(|step| step.entry.id.clone()).collect();
    let mut lines = vec![format!(
        "run {} has ended, and cluster `{}` is not complete: {} of {} steps are left",
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
    lines.extend(next_of(app, state).map(|next| format!("to do what is left: {next}")));
    lines.join("\n")
}
