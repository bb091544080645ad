//! What `status` and `list` tell, in the shape that scripts rely on.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use mesosflow_workflow::{
    ClusterId, ErrorReport, Generation, ItemKey, Phase, Progress, Resource, RunId, RunRow, RunState, Status,
    StepId, StepState,
};
use serde::Serialize;

use super::phases::{PhaseView, milliseconds, phases};
use crate::hints::naming;
use crate::runs::word;
use crate::wiring::{self, Instance, ProviderKind, Report};

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
    /// When the run's driver was last heard of, if one is at it now.
    #[serde(skip)]
    pub(crate) driven_at: Option<Timestamp>,
    pub(crate) steps: Vec<StepView>,
    pub(crate) nodes: Vec<NodeView>,
    /// Everything that exists by the journal.
    pub(crate) resources: Vec<Resource>,
    /// What the run reported at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) report: Option<Report>,
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
    /// What it took, without the time in which nobody drove the run.
    pub(crate) duration_ms: Option<u64>,
    /// The same of one that has not ended, until its driver was last heard of.
    #[serde(skip)]
    pub(crate) so_far: Option<Duration>,
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
    /// What it took, without the time in which nobody drove the run.
    pub(crate) duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorReport>,
}

/// A node, as `status` tells.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct NodeView {
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) private_ip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_ip: Option<String>,
    pub(crate) instance_id: String,
    /// `launched`, `listed` for a machine of the user's own, or `joined` for one that was adopted.
    pub(crate) origin: &'static str,
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

/// An error of a run, whose hint names it.
fn named(error: ErrorReport, state: &RunState, cluster: &RunState) -> ErrorReport {
    let replayed = wiring::replayed(state, cluster.run);
    let hint = error.hint.map(|hint| naming(state.run, replayed, &hint));
    ErrorReport { hint, ..error }
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
    /// Whether somebody is at it now.
    pub(crate) const fn is_driven(&self) -> bool {
        self.driven_at.is_some()
    }

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
            Phase::Failed(error) | Phase::Interrupted(error) => Some(named(error.clone(), state, cluster)),
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
            driven_at: (held && state.phase == Phase::Running).then_some(state.moved_at),
            steps: state.steps.iter().map(|step| StepView::of(state, step)).collect(),
            nodes: node_views(cluster),
            resources: cluster.resources.clone(),
            report,
        }
    }
}

impl StepView {
    fn of(run: &RunState, step: &StepState) -> Self {
        let Progress {
            status,
            attempts,
            started_at,
            finished_at,
            error,
            ..
        } = &step.progress;
        let since = started_at.filter(|_| *status == Status::Running);
        Self {
            id: step.entry.id.clone(),
            notes: step.entry.notes.clone(),
            state: status.as_str(),
            generation: step.progress.generation,
            attempts: *attempts,
            started_at: *started_at,
            finished_at: *finished_at,
            duration_ms: duration_ms(run, &step.progress),
            so_far: since.map(|since| run.driven(since, run.moved_at)),
            reason: step.reason().map(str::to_owned),
            error: error.clone(),
            items: step
                .items
                .iter()
                .map(|(key, item)| ItemView::of(run, key, item))
                .collect(),
        }
    }
}

impl ItemView {
    fn of(run: &RunState, key: &ItemKey, item: &Progress) -> Self {
        Self {
            key: key.clone(),
            state: item.status.as_str(),
            attempts: item.attempts,
            started_at: item.started_at,
            finished_at: item.finished_at,
            duration_ms: duration_ms(run, item),
            error: item.error.clone(),
        }
    }
}

/// The nodes of the cluster that stands so.
pub(crate) fn node_views(cluster: &RunState) -> Vec<NodeView> {
    let adopted = wiring::adopted(cluster);
    let nodes = wiring::nodes(cluster);
    nodes
        .iter()
        .map(|node| NodeView::of(node, &cluster.provider, &adopted))
        .collect()
}

impl NodeView {
    fn of(node: &Instance, provider: &str, adopted: &BTreeSet<String>) -> Self {
        let is_listed = ProviderKind::has_lent(provider);
        Self {
            origin: match (is_listed, adopted.contains(&node.id)) {
                (true, _) => "listed",
                (false, true) => "joined",
                (false, false) => "launched",
            },
            name: node.name.clone(),
            role: node.role.to_string(),
            private_ip: node.private_ip.to_string(),
            public_ip: node.public_ip.map(|ip| ip.to_string()),
            instance_id: node.id.clone(),
        }
    }
}

/// None while it is under way.
fn duration_ms(run: &RunState, progress: &Progress) -> Option<u64> {
    if progress.status == Status::Running {
        return None;
    }
    run.took(progress).map(milliseconds)
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
        let view = StatusView::of(
            &failed,
            &failed,
            false,
            Fate::Stays,
            Some("mesosflow resume 01jd3k".into()),
        );
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
