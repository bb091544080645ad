//! The workflow of a run: its catalogue, the spec that was frozen, and the end of a run that could not begin to work.

use mesosflow_steps::cluster::ClusterSpec;
use mesosflow_steps::setup::{HdfsFormat, MesosStart, MesosStop, PersistentHdfsFormat};
use mesosflow_steps::workflows::Workflow;
use mesosflow_steps::{Hdfs, Plan, PlannedStep};
use mesosflow_workflow::{
    CatalogueEntry, ErrorClass, ErrorReport, Outcome, Run, RunId, RunState, Status, StepError, StepId,
    StepState,
};

use crate::error::CliError;

/// Every step, in the order that replay follows.
pub(crate) fn catalogue() -> Vec<CatalogueEntry> {
    mesosflow_steps::catalogue()
}

/// What `run` would do with `spec`.
pub(crate) fn plan(spec: &ClusterSpec) -> Plan {
    mesosflow_steps::plan(spec)
}

/// What a run of a workflow would do.
pub(crate) fn planned(
    workflow: &dyn Workflow,
    cluster: &ClusterSpec,
    spec: &serde_json::Value,
) -> Result<Vec<PlannedStep>, serde_json::Error> {
    Ok(mesosflow_steps::planned(cluster, workflow.catalogue(spec)?))
}

/// What it costs a cluster that works if these steps run again: masters and agents stop, on all nodes.
pub(crate) fn outage(steps: &[StepState]) -> Option<String> {
    let has = |id: StepId| {
        let mut steps = steps.iter();
        steps.any(|step| step.entry.id == id && step.skipped.is_none() && step.has_outcome())
    };
    let starts = match has(MesosStart::ID) {
        true => "`mesos-start` starts them again",
        false => "nothing of this replay starts them again: `mesosflow replay --from mesos-start` does",
    };
    has(MesosStop::ID).then(|| format!("`mesos-stop` stops the masters and agents of all nodes; {starts}"))
}

/// The cluster's spec that was frozen into a run.
pub(crate) fn frozen_spec(state: &RunState) -> Result<ClusterSpec, CliError> {
    let frozen = |spec: ClusterSpec| ClusterSpec {
        ec2: spec.ec2.frozen(),
        ..spec
    };
    let spec = workflow_of(state)?.cluster(&state.spec);
    spec.map(frozen).map_err(|error| unreadable(state, &error))
}

/// The steps of a run as this program has them.
pub(crate) fn catalogue_of(state: &RunState) -> Result<Vec<CatalogueEntry>, CliError> {
    let catalogue = workflow_of(state)?.catalogue(&state.spec);
    catalogue.map_err(|error| unreadable(state, &error))
}

fn unreadable(state: &RunState, error: &serde_json::Error) -> CliError {
    CliError::refused(format!(
        "this mesosflow cannot read the spec of run `{}`",
        state.run
    ))
    .because_of(error)
    .hint(format!("use mesosflow {}, which started it", state.tool_version))
}

/// The run whose steps a replay does again where this one is spoken of: its own, or those of the run that made the cluster.
pub(crate) fn replayed(state: &RunState, founder: RunId) -> RunId {
    match workflow_of(state).is_ok_and(Workflow::inherits) {
        true => state.run,
        false => founder,
    }
}

/// Which HDFS a step formats where a replay names it, if it does that.
pub(crate) fn formats(step: &StepId) -> Option<&'static str> {
    [
        (HdfsFormat::ID, Hdfs::Ephemeral),
        (PersistentHdfsFormat::ID, Hdfs::Persistent),
    ]
    .into_iter()
    .find_map(|(id, hdfs)| (id == *step).then(|| hdfs.as_str()))
}

/// The first step that a replay of a run may begin with, where `step` comes before it: those before the deletion of machines acted on
/// what is gone by now.
pub(crate) fn first_acts<'a>(state: &'a RunState, step: &StepId) -> Option<&'a StepId> {
    let deletions = mesosflow_steps::life::delete_steps();
    let is_begun = |at: &&StepState| {
        deletions.contains(&at.entry.id) && at.skipped.is_none() && at.progress.status != Status::Pending
    };
    let first = &state.steps.iter().find(is_begun)?.entry.id;
    let place = |id: &StepId| state.steps.iter().position(|at| at.entry.id == *id);
    (place(step) < place(first)).then_some(first)
}

/// The workflow of a run.
pub(crate) fn workflow_of(state: &RunState) -> Result<&'static dyn Workflow, CliError> {
    workflow(&state.workflow).ok_or_else(|| {
        CliError::refused(format!(
            "this mesosflow knows no workflow `{}`, which run `{}` is of",
            state.workflow, state.run
        ))
        .hint(format!(
            "use mesosflow {}, which drove it last",
            state.tool_version
        ))
    })
}

/// The workflow of that name.
pub(crate) fn workflow(name: &str) -> Option<&'static dyn Workflow> {
    mesosflow_steps::workflows::by_name(name)
}

/// Ends a run whose cluster is somebody else's, before it has acted.
pub(crate) async fn give_way(run: &Run, fenced: &dyn StepError) -> Outcome {
    let reason = ErrorReport::of(fenced);
    match run.interrupt(reason.clone()).await {
        Ok(()) => Outcome::Fenced { reason },
        Err(lost) => Outcome::Lost(lost),
    }
}

/// Ends a run that could not begin to work, so that its history says why.
pub(crate) async fn give_up(run: &Run, error: &CliError) -> Outcome {
    let reason = ErrorReport {
        class: ErrorClass::Operator,
        message: error.message.clone(),
        causes: error.causes.clone(),
        hint: error.hints.first().cloned(),
    };
    match run.interrupt(reason.clone()).await {
        Ok(()) => Outcome::Interrupted { reason },
        Err(lost) => Outcome::Lost(lost),
    }
}
