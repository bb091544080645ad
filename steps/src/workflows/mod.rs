//! The workflows: one file each, a table of contents. [`by_name`] is the one list of them.

pub mod deploy;
pub mod destroy;
pub mod start;
pub mod stop;

use std::sync::Arc;

use async_trait::async_trait;
use mesosflow_workflow::{CatalogueEntry, Flow, Halt, Outcome, Run, Settings, StepId, Stop as StopSign};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cluster::ClusterSpec;
use crate::world::World;

pub use deploy::Deploy;
pub use destroy::{Destroy, DestroyPlan, DestroySpec};
pub use start::{Lacking, Start, StartSpec};
pub use stop::{Stop, StopSpec};

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

    /// Whether steps of a run can be done again by themselves. Where they cannot, the command of that name begins another run.
    fn replays(&self) -> bool {
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
    async fn drive(&self, run: &Run, world: Arc<World>, settings: Settings, stop: StopSign) -> Outcome;
}

/// Every workflow.
const ALL: [&dyn Workflow; 4] = [&Deploy, &Stop, &Start, &Destroy];

/// The workflow of that name; none where this program has none.
pub fn by_name(name: &str) -> Option<&'static dyn Workflow> {
    ALL.into_iter().find(|workflow| workflow.name() == name)
}

/// The names of all workflows.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().map(Workflow::name)
}

/// A spec as a run has it.
fn read<T: DeserializeOwned>(spec: &Value) -> Result<T, serde_json::Error> {
    T::deserialize(spec)
}

/// A step that is in no item of the deploy notes.
fn entry(step: StepId, title: &str) -> CatalogueEntry {
    CatalogueEntry::new(step, "-", title)
}

/// Drives a run whose steps need what was frozen into it.
async fn drive<T, Fut, O>(
    run: &Run,
    world: Arc<World>,
    settings: Settings,
    stop: StopSign,
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_workflow_is_found_by_its_name_alone() {
        let names: BTreeSet<_> = names().collect();
        assert_eq!(names.len(), ALL.len());
        for name in names {
            assert_eq!(by_name(name).map(Workflow::name), Some(name));
        }
        assert!(by_name("").is_none() && by_name("Deploy").is_none());
    }

    #[test]
    fn a_catalogue_has_every_step_once() {
        for provider in ["local", "ec2", "hosts"] {
            let cluster = serde_json::json!({"provider": provider});
            let thing = serde_json::json!({"resource_kind": "instance", "id": "i-1", "name": "demo-slave-1"});
            let specs = [
                cluster.clone(),
                serde_json::json!({"cluster": cluster, "nodes": [], "machines": [], "ending": [thing]}),
                serde_json::json!({
                    "cluster": cluster, "machines": [], "lacking": [{"role": "slave", "index": 1}], "lost": [thing],
                    "image": null, "groups": null, "has_persistent": true,
                }),
                serde_json::json!({"cluster": cluster, "resources": [], "effects": []}),
            ];
            for (workflow, spec) in ALL.into_iter().zip(specs) {
                let catalogue = workflow.catalogue(&spec).unwrap();
                let once: BTreeSet<_> = catalogue.iter().map(|entry| &entry.id).collect();
                assert_eq!(once.len(), catalogue.len(), "{} on {provider}", workflow.name());
                assert_eq!(workflow.cluster(&spec).unwrap().provider.as_str(), provider);
            }
        }
    }

    /// What a start does is what the deploy does, less what makes the machines that are there.
    #[test]
    fn a_start_launches_only_what_is_lacking() {
        let catalogue = |lacking: serde_json::Value| {
            let spec = serde_json::json!({
                "cluster": {"provider": "local"}, "machines": [], "lacking": lacking,
                "image": null, "groups": null, "has_persistent": false,
            });
            let catalogue = Start.catalogue(&spec).unwrap().into_iter();
            catalogue.map(|entry| entry.id.to_string()).collect::<Vec<_>>()
        };
        let none = catalogue(serde_json::json!([]));
        assert!(none.iter().all(|id| !id.starts_with("launch-")), "{none:?}");
        assert_eq!(none[..2], ["start-machines", "await-nodes"]);
        let slave = catalogue(serde_json::json!([{"role": "slave", "index": 2}]));
        assert_eq!(slave[..3], ["start-machines", "launch-slaves", "await-nodes"]);
        let deploy = Deploy.catalogue(&serde_json::Value::Null).unwrap();
        let kept = deploy
            .iter()
            .map(|entry| entry.id.to_string())
            .skip_while(|id| id != "await-nodes");
        assert_eq!(none[1..], kept.collect::<Vec<_>>());
    }
}
