//! What a workflow is, and what all of them are driven with.

use std::sync::Arc;

use async_trait::async_trait;
use mesosflow_workflow::{CatalogueEntry, Flow, Halt, Outcome, Run, Settings, StepId, Stop};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cluster::ClusterSpec;
use crate::hdfs::Hdfs;
use crate::world::World;

/// What can be done with a cluster from its beginning to an end, in runs that can die anywhere and go on.
#[async_trait(?Send)]
pub trait Workflow: Sync {
    /// Its name, kebab-case: what a run's first event says, for ever.
    fn name(&self) -> &'static str;

    /// What is so of the cluster once a run of it has succeeded, to stand behind the cluster's name: `is up`.
    fn aim(&self) -> &'static str;

    /// Whether nothing is left of the cluster once a run of it has succeeded.
    fn ends_cluster(&self) -> bool {
        mesosflow_workflow::store::ends_cluster(self.name())
    }

    /// Whether a step of it opens the cluster's doors to who comes from elsewhere now; otherwise that is done before any step.
    fn admits(&self) -> bool {
        false
    }

    /// Whether a replay takes over what other runs have made of the cluster since. Of a workflow that does not, a run is replayed while
    /// nobody has driven another one since.
    fn inherits(&self) -> bool {
        false
    }

    /// The cluster's spec within the spec of a run.
    ///
    /// # Errors
    /// Another version of the program wrote it, in a way that this one cannot read.
    fn cluster(&self, spec: &Value) -> Result<ClusterSpec, serde_json::Error>;

    /// The steps of a run with that spec, in the order that replay follows.
    ///
    /// # Errors
    /// As [`Workflow::cluster`].
    fn catalogue(&self, spec: &Value) -> Result<Vec<CatalogueEntry>, serde_json::Error>;

    /// Drives a run of it to an end, in the task that awaits it: the flow of all steps is too deep a type to be sent elsewhere.
    async fn drive(&self, run: &Run, world: Arc<World>, settings: Settings, stop: Stop) -> Outcome;
}

/// A spec as a run has it.
pub(super) fn read<T: DeserializeOwned>(spec: &Value) -> Result<T, serde_json::Error> {
    T::deserialize(spec)
}

/// A step that is in no item of the deploy notes.
pub(super) fn entry(step: StepId, title: &str) -> CatalogueEntry {
    CatalogueEntry::new(step, "-", title)
}

/// A step of each file system, with what it does behind that one's word.
pub(super) fn on_both(step: fn(Hdfs) -> StepId, title: &str) -> [CatalogueEntry; 2] {
    [Hdfs::Ephemeral, Hdfs::Persistent].map(|hdfs| entry(step(hdfs), &format!("{} {title}", hdfs.as_str())))
}

/// Puts steps before that one, in this order.
pub(super) fn put_before(
    all: &mut Vec<CatalogueEntry>,
    step: &StepId,
    added: impl IntoIterator<Item = CatalogueEntry>,
) {
    let at = all.iter().position(|entry| entry.id == *step);
    let at = at.unwrap_or(all.len());
    all.splice(at..at, added);
}

/// Drives a run whose steps need what was frozen into it.
pub(super) async fn drive<T, Fut, O>(
    run: &Run,
    world: Arc<World>,
    settings: Settings,
    stop: Stop,
    flow: impl Fn(Flow<World>, Arc<T>) -> Fut,
) -> Outcome
where
    T: DeserializeOwned,
    Fut: Future<Output = Result<O, Halt>>,
{
    let spec = match read::<T>(&run.state().spec) {
        Ok(spec) => Arc::new(spec),
        Err(error) => return run.unreadable(&error).await,
    };
    // On the heap: the future of all steps in one is too deep a type for those that await it.
    let body = |of_run| Box::pin(flow(of_run, spec.clone()));
    Box::pin(run.drive(world, settings, stop, body)).await
}
