//! `status` for people.

use std::time::Duration;

use jiff::Timestamp;

use super::duration;
use super::report;
use super::table::table;
use crate::text::clean;
use crate::views::phases::PhaseView;
use crate::views::status::{RunView, StatusView, StepView};

/// Everything about a run. `now` is what a running step has taken so far measured by.
pub(crate) fn text(view: &StatusView, now: Timestamp) -> String {
    let mut parts = vec![head(view, now)];
    parts.push(table(
        &["step", "notes", "state", "took", ""],
        view.steps.iter().map(|step| row(step, view.driven_at, now)),
    ));
    if !view.nodes.is_empty() {
        let nodes = view.nodes.iter().map(|node| {
            let public = node.public_ip.clone().unwrap_or_default();
            vec![
                node.name.clone(),
                node.role.clone(),
                node.private_ip.clone(),
                public,
                node.instance_id.clone(),
            ]
        });
        parts.push(table(
            &["node", "role", "private ip", "public ip", "instance"],
            nodes,
        ));
    }
    let warnings = view.report.iter().flat_map(|report| &report.warnings);
    let remarks = report::substitutions(&view.substitutions).chain(report::warnings(warnings));
    let remarks: Vec<_> = remarks.collect();
    if !remarks.is_empty() {
        parts.push(remarks.join("\n"));
    }
    if let Some(hint) = &view.hint {
        parts.push(format!("next: {hint}"));
    }
    parts.join("\n\n")
}

/// `list` for people.
pub(crate) fn list(runs: &[RunView]) -> String {
    let rows = runs.iter().map(|run| {
        let state = format!("{}{}", run.state, taken_down(run));
        vec![
            run.run.to_string(),
            run.workflow.clone(),
            run.cluster.clone(),
            run.provider.clone(),
            state,
            run.generation.to_string(),
            date(Some(run.started_at)),
            date(run.finished_at),
        ]
    });
    table(
        &[
            "run",
            "workflow",
            "cluster",
            "provider",
            "state",
            "generation",
            "started",
            "finished",
        ],
        rows,
    )
}

/// How far it was taken down.
const fn taken_down(run: &RunView) -> &'static str {
    match (run.destroyed, run.destroying) {
        (true, _) => ", destroyed",
        (false, true) => ", half destroyed",
        (false, false) => "",
    }
}

fn head(view: &StatusView, now: Timestamp) -> String {
    let run = &view.run;
    let mut lines = vec![
        format!("run        {}", run.run),
        format!("workflow   {}", run.workflow),
        format!("cluster    {} on {}", run.cluster, run.provider),
        format!("state      {}{}", run.state, taken_down(run)),
        format!("generation {}", run.generation),
        format!("started    {}", date(Some(run.started_at))),
    ];
    match run.finished_at {
        Some(at) => {
            let took = duration::between(Some(run.started_at), Some(at))
                .map(duration::text)
                .unwrap_or_default();
            lines.push(format!("finished   {} ({took} after the start)", date(Some(at))));
        }
        None => {
            let so_far = duration::between(Some(run.started_at), Some(now))
                .map(duration::text)
                .unwrap_or_default();
            lines.push(format!("finished   not yet, {so_far} after the start"));
        }
    }
    if !view.phases.is_empty() {
        lines.push(format!("took       {}", phases(&view.phases)));
    }
    if let Some(error) = &view.error {
        lines.push(format!("reason     {}", clean(&error.message)));
        lines.extend(
            error
                .causes
                .iter()
                .map(|cause| format!("           caused by: {}", clean(cause))),
        );
        let hints = error.hint.iter().flat_map(|hint| hint.lines());
        lines.extend(hints.map(|hint| format!("           hint: {}", clean(hint))));
    }
    lines.join("\n")
}

/// `provision 12.0 s, set-up 41.2 s`.
pub(crate) fn phases(phases: &[PhaseView]) -> String {
    let each = phases.iter().map(|phase| {
        let took = Duration::from_millis(phase.duration_ms);
        format!("{} {}", phase.name, duration::text(took))
    });
    each.collect::<Vec<_>>().join(", ")
}

/// `driven_at`: until when a step that is under way has been measured, if it still goes on.
fn row(step: &StepView, driven_at: Option<Timestamp>, now: Timestamp) -> Vec<String> {
    let since = duration::between(driven_at, Some(now)).unwrap_or_default();
    let so_far = step.so_far.map(|so_far| so_far + since);
    let took = so_far.or(step.duration_ms.map(Duration::from_millis));
    vec![
        step.id.to_string(),
        step.notes.clone(),
        step.state.to_owned(),
        took.map(duration::text).unwrap_or_default(),
        remark(step),
    ]
}

fn remark(step: &StepView) -> String {
    let mut remarks = Vec::new();
    remarks.extend(step.reason.clone());
    if !step.items.is_empty() {
        let done = step.items.iter().filter(|item| item.state == "succeeded").count();
        if done < step.items.len() {
            let open = step
                .items
                .iter()
                .filter(|item| item.state != "succeeded")
                .map(|item| item.key.as_str());
            remarks.push(format!(
                "{done}/{} done, not {}",
                step.items.len(),
                open.collect::<Vec<_>>().join(", ")
            ));
        }
    }
    let tries = step
        .items
        .iter()
        .map(|item| item.attempts)
        .chain([step.attempts])
        .max()
        .unwrap_or(0);
    if tries > 1 {
        remarks.push(format!("{tries} attempts"));
    }
    if let Some(error) = &step.error {
        remarks.push(super::event::reason(error).replace('\n', " | "));
    }
    remarks.join("; ")
}

fn date(at: Option<Timestamp>) -> String {
    at.map(|at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use mesosflow_workflow::RunState;

    use super::*;
    use crate::views::history::history;
    use crate::views::status::Fate;

    #[test]
    fn a_failed_run_shows_where_it_stands_and_what_to_do() {
        let failed = RunState::fold(&history()[..16]).unwrap();
        let view = StatusView::of(
            &failed,
            &failed,
            false,
            Fate::Stays,
            Some("mesosflow resume 01jd3k".into()),
        );
        insta::assert_snapshot!(text(&view, "2026-03-01T10:00:00Z".parse().unwrap()));
    }

    #[test]
    fn a_running_step_shows_what_it_took_so_far() {
        let running = RunState::fold(&history()[..10]).unwrap();
        let view = StatusView::of(&running, &running, true, Fate::Stays, None);
        insta::assert_snapshot!(text(&view, "2026-03-01T09:31:00Z".parse().unwrap()));
        insta::assert_snapshot!(list(&[view.run]));
    }

    #[test]
    fn each_event_has_its_line() {
        let mut state: Option<RunState> = None;
        let lines: Vec<_> = history()
            .iter()
            .map(|recorded| {
                match &mut state {
                    Some(state) => state.apply(recorded).unwrap(),
                    None => state = Some(RunState::begin(recorded).unwrap()),
                }
                let line = super::super::event::line(recorded, state.as_ref());
                line.split_once(' ').unwrap().1.to_owned()
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
