//! What `status` and `list` tell, in the shape that scripts rely on.

use jiff::Timestamp;
use mesosflow_workflow::{
    ClusterId, ErrorReport, Generation, ItemKey, Phase, Progress, Resource, RunId, RunRow, RunState, Status,
    StepId, StepState,
};
use serde::Serialize;

use crate::runs::word;
use crate::wiring::{self, Instance, Report};

/// A run, as `list` tells.
#[derive(Debug, Serialize)]
pub(crate) struct RunView {
    pub(crate) run: RunId,
    pub(crate) workflow: String,
    pub(crate) cluster: String,
    pub(crate) cluster_id: ClusterId,
    pub(crate) provider: String,
    /// `running`, `succeeded`, `partial`, `failed`, `interrupted`, `closed` or `crashed`.
    pub(crate) state: &'static str,
    pub(crate) generation: Generation,
    pub(crate) started_at: Timestamp,
    pub(crate) finished_at: Option<Timestamp>,
    /// Whether it was taken down: nothing of it is left.
    pub(crate) destroyed: bool,
    /// Whether that was begun, and something is left.
    pub(crate) destroying: bool,
}

/// A run, as `status` tells.
#[derive(Debug, Serialize)]
pub(crate) struct StatusView {
    #[serde(flatten)]
    pub(crate) run: RunView,
    /// Why it failed or stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorReport>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    /// What stands in for something else on this cluster.
    pub(crate) substitutions: Vec<String>,
    /// What the parts of the deploy took.
    pub(crate) phases: Vec<PhaseView>,
    pub(crate) steps: Vec<StepView>,
    pub(crate) nodes: Vec<NodeView>,
    /// Everything that exists by the journal.
    pub(crate) resources: Vec<Resource>,
    /// What the run reported at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) report: Option<Report>,
}

/// A section of the deploy notes, and what it took.
#[derive(Debug, Serialize)]
pub(crate) struct PhaseView {
    pub(crate) name: &'static str,
    pub(crate) duration_ms: i64,
}

/// A step, as `status` tells.
#[derive(Debug, Serialize)]
pub(crate) struct StepView {
    pub(crate) id: StepId,
    pub(crate) notes: String,
    /// `pending`, `running`, `succeeded`, `failed`, `skipped` or `stale`.
    pub(crate) state: &'static str,
    pub(crate) generation: Generation,
    pub(crate) attempts: u32,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) duration_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorReport>,
    pub(crate) items: Vec<ItemView>,
}

/// An item of a step, as `status` tells.
#[derive(Debug, Serialize)]
pub(crate) struct ItemView {
    pub(crate) key: ItemKey,
    pub(crate) state: &'static str,
    pub(crate) attempts: u32,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) duration_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorReport>,
}

/// A node, as `status` tells.
#[derive(Debug, Serialize)]
pub(crate) struct NodeView {
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) private_ip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_ip: Option<String>,
    pub(crate) instance_id: String,
}

/// What became of the cluster that a run has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is there; or the run has made none.
    Stays,
    /// A destroy of it has begun.
    Going,
    /// Nothing of it is left.
    Gone,
}

impl Fate {
    /// The fate of what that run has made, where a destroy of its cluster has begun or not.
    pub(crate) fn of(row: &RunRow, is_destroying: bool) -> Self {
        let is_going = row.summary.destroyed || is_destroying;
        match (row.workflow == wiring::FOUNDS, row.owns_cluster, is_going) {
            (true, false, _) => Self::Gone,
            (true, true, true) => Self::Going,
            _ => Self::Stays,
        }
    }
}

impl RunView {
    /// The run that stands as `state`.
    pub(crate) fn of(state: &RunState, held: bool, fate: Fate) -> Self {
        Self {
            run: state.run,
            workflow: state.workflow.clone(),
            cluster: state.cluster.clone(),
            cluster_id: state.cluster_id,
            provider: state.provider.clone(),
            state: word(state.phase.kind(), held),
            generation: state.generation,
            started_at: state.started_at,
            finished_at: state.finished_at,
            destroyed: fate == Fate::Gone,
            destroying: fate == Fate::Going,
        }
    }

    /// The run as the journal lists it.
    pub(crate) fn listed(row: &RunRow, held: bool, fate: Fate) -> Self {
        Self {
            run: row.run,
            workflow: row.workflow.clone(),
            cluster: row.cluster.clone(),
            cluster_id: row.cluster_id,
            provider: row.provider.clone(),
            state: word(row.summary.phase, held),
            generation: row.summary.generation,
            started_at: row.created_at,
            finished_at: row.summary.finished_at,
            destroyed: fate == Fate::Gone,
            destroying: fate == Fate::Going,
        }
    }
}

impl StatusView {
    /// The run that stands as `state`, of the cluster that stands as `cluster`; `hint` says what to do next.
    pub(crate) fn of(
        state: &RunState,
        cluster: &RunState,
        held: bool,
        fate: Fate,
        hint: Option<String>,
    ) -> Self {
        let report = wiring::report(state);
        let error = match &state.phase {
            Phase::Failed(error) | Phase::Interrupted(error) => Some(error.clone()),
            Phase::Running | Phase::Succeeded | Phase::Partial | Phase::Closed => None,
        };
        Self {
            run: RunView::of(state, held, fate),
            error,
            hint,
            substitutions: report
                .as_ref()
                .map(|report| report.substitutions.clone())
                .unwrap_or_default(),
            phases: phases(state),
            steps: state.steps.iter().map(StepView::of).collect(),
            nodes: wiring::nodes(cluster).iter().map(NodeView::of).collect(),
            resources: cluster.resources.clone(),
            report,
        }
    }
}

impl StepView {
    fn of(state: &StepState) -> Self {
        let Progress {
            status,
            attempts,
            started_at,
            finished_at,
            error,
            ..
        } = &state.progress;
        Self {
            id: state.entry.id.clone(),
            notes: state.entry.notes.clone(),
            state: status.as_str(),
            generation: state.progress.generation,
            attempts: *attempts,
            started_at: *started_at,
            finished_at: *finished_at,
            duration_ms: duration_ms(&state.progress),
            reason: state.reason().map(str::to_owned),
            error: error.clone(),
            items: state
                .items
                .iter()
                .map(|(key, item)| ItemView::of(key, item))
                .collect(),
        }
    }
}

impl ItemView {
    fn of(key: &ItemKey, item: &Progress) -> Self {
        Self {
            key: key.clone(),
            state: item.status.as_str(),
            attempts: item.attempts,
            started_at: item.started_at,
            finished_at: item.finished_at,
            duration_ms: duration_ms(item),
            error: item.error.clone(),
        }
    }
}

impl NodeView {
    fn of(node: &Instance) -> Self {
        Self {
            name: node.name.clone(),
            role: node.role.to_string(),
            private_ip: node.private_ip.to_string(),
            public_ip: node.public_ip.map(|ip| ip.to_string()),
            instance_id: node.id.clone(),
        }
    }
}

/// What each section of the deploy notes took in the current generation: from the start of its first step to the end of
/// its last.
pub(crate) fn phases(state: &RunState) -> Vec<PhaseView> {
    let sections = [("provision", "1."), ("set-up", "2."), ("checks", "-")];
    let timed = sections.map(|(name, notes)| {
        let steps = state.steps.iter().filter(|step| {
            // The report stands in section 1 of the notes and is made at the end of all.
            let is_meant = step.entry.notes.starts_with(notes) && step.entry.notes != "1.7";
            is_meant && step.progress.generation == state.generation && step.progress.status != Status::Stale
        });
        let from = steps.clone().filter_map(|step| step.progress.started_at).min()?;
        let to = steps.filter_map(|step| step.progress.finished_at).max()?;
        Some(PhaseView {
            name,
            duration_ms: milliseconds(from, to),
        })
    });
    timed.into_iter().flatten().collect()
}

fn milliseconds(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_millis().try_into().unwrap_or(i64::MAX)
}

/// From the first attempt's start to the last one's end; none while that is not known.
fn duration_ms(progress: &Progress) -> Option<i64> {
    if progress.status == Status::Running {
        return None;
    }
    Some(milliseconds(progress.started_at?, progress.finished_at?))
}

#[cfg(test)]
mod tests {
    use super::super::history::history;
    use super::*;

    #[test]
    fn the_state_of_a_run_is_one_of_six_words() {
        let failed = RunState::fold(&history()[..16]).unwrap();
        let word = |state: &RunState, held| word(state.phase.kind(), held);
        assert_eq!((word(&failed, false), word(&failed, true)), ("failed", "failed"));
        let replaying = RunState::fold(&history()).unwrap();
        assert_eq!(
            (word(&replaying, true), word(&replaying, false)),
            ("running", "crashed")
        );
    }

    #[test]
    fn status_as_json_has_the_promised_shape() {
        let failed = RunState::fold(&history()[..16]).unwrap();
        let view = StatusView::of(&failed, &failed, false, Fate::Stays, Some("mesosflow resume 01jd3k".into()));
        insta::assert_snapshot!(serde_json::to_string_pretty(&view).unwrap());
    }

    #[test]
    fn after_a_replay_was_requested_its_steps_and_their_items_are_stale() {
        let state = RunState::fold(&history()).unwrap();
        let view = StatusView::of(&state, &state, false, Fate::Stays, None);
        let states: Vec<_> = view.steps.iter().map(|step| step.state).collect();
        assert_eq!(states, ["succeeded", "stale", "stale", "stale", "pending"]);
        assert!(view.steps[1].items.iter().all(|item| item.state == "stale"));
    }
}
