//! The destroy: everything that any run of the cluster has made goes, kind after kind, until the provider has nothing left of it.

use std::sync::Arc;

use async_trait::async_trait;
use mesosflow_workflow::{
    CatalogueEntry, Effect, ErrorClass, ErrorReport, Flow, Halt, ItemKey, Outcome, Resource, Run, RunState,
    Settings, Status, StepId, Stop,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Workflow, drive, entry, read};
use crate::cluster::{ClusterSpec, ProviderKind};
use crate::in_doubt::awaited;
use crate::life::{Delete, Deleted, FindResources, Gone, SeeGone, Together};
use crate::plan::PlannedStep;
use crate::provider::kinds;
use crate::world::World;

/// What a destroy needs of the cluster's record, as it was when it began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DestroySpec {
    /// The spec in force.
    pub cluster: ClusterSpec,
    /// What exists by the histories of the cluster's runs.
    pub resources: Vec<Resource>,
    /// Their effects in doubt: a launch among them may still bring a machine.
    pub effects: Vec<Effect>,
}

/// A destroy that was not done: what it would do to a cluster, as far as the journal tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DestroyPlan {
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
    /// What would go that the journal knows of, in the order in which it goes; what else carries the cluster's tags goes too.
    pub deletes: Vec<Resource>,
    /// Launches in doubt, by the items that they are for: each may still bring something, and is waited for.
    pub in_doubt: Vec<String>,
}

impl DestroySpec {
    /// What a run of it would do; `begun` is one that has begun already, and would be gone on with.
    pub fn plan(&self, begun: Option<&RunState>) -> DestroyPlan {
        let step = |entry: CatalogueEntry| {
            let status = begun.and_then(|run| Some(run.step(&entry.id)?.progress.status));
            let is_done = status.is_some_and(Status::is_valid);
            PlannedStep {
                id: entry.id.to_string(),
                notes: entry.notes,
                title: entry.title,
                action: if is_done { "skip" } else { "run" },
                reason: is_done.then(|| "done already".to_owned()),
            }
        };
        let awaited = self.effects.iter().filter(|effect| awaited(effect).is_some());
        let in_doubt = awaited.map(|effect| match &effect.item {
            Some(item) => format!("{} {item}", effect.step),
            None => effect.step.to_string(),
        });
        DestroyPlan {
            steps: catalogue(self.cluster.provider).into_iter().map(step).collect(),
            deletes: kinds(self.resources.clone()).into_iter().flatten().collect(),
            in_doubt: in_doubt.collect(),
        }
    }
}

/// The workflow.
#[derive(Debug)]
pub struct Destroy;

#[async_trait(?Send)]
impl Workflow for Destroy {
    fn name(&self) -> &'static str {
        "destroy"
    }

    fn aim(&self) -> &'static str {
        "is gone"
    }

    fn cluster(&self, spec: &Value) -> Result<ClusterSpec, serde_json::Error> {
        Ok(read::<DestroySpec>(spec)?.cluster)
    }

    fn catalogue(&self, spec: &Value) -> Result<Vec<CatalogueEntry>, serde_json::Error> {
        Ok(catalogue(self.cluster(spec)?.provider))
    }

    async fn drive(&self, run: &Run, world: Arc<World>, settings: Settings, stop: Stop) -> Outcome {
        drive(run, world, settings, stop, destroy).await
    }
}

/// The steps at a provider, which has some kinds of things and not others.
fn catalogue(provider: ProviderKind) -> Vec<CatalogueEntry> {
    let find = entry(FindResources::ID, "what there is, by the journal and by its tags");
    let see = entry(SeeGone::ID, "nothing is left, and nothing can come any more");
    let deletions = Deleted::of(provider).map(|kind| deletion(provider, kind));
    [find].into_iter().chain(deletions).chain([see]).collect()
}

pub(super) fn deletion(provider: ProviderKind, kind: Deleted) -> CatalogueEntry {
    let machines = if provider.is_here() { "nodes" } else { "instances" };
    let (title, over) = match kind {
        Deleted::SpotRequests => ("requests that would bring machines", "requests"),
        Deleted::Machines => (machines, "machines"),
        Deleted::Volumes => ("volumes that outlive their machines", "volumes"),
        Deleted::Rules => ("rules in groups of somebody else's", "rules"),
        Deleted::Groups => ("groups that they were in", "groups"),
        Deleted::Networks => ("networks that they were in", "networks"),
        Deleted::Hosts => ("daemons stopped; the key and the mark taken off", "hosts"),
    };
    let step = entry(Delete::id_of(kind), title).over(over);
    match kind {
        Deleted::Machines | Deleted::Volumes => step.destructive(),
        _ => step,
    }
}

/// Destroys the cluster. What cannot go keeps nothing else from going; all of it is told at the end.
///
/// # Errors
/// Why the flow has to end; see [`Halt`].
async fn destroy(flow: Flow<World>, spec: Arc<DestroySpec>) -> Result<Gone, Halt> {
    let found = flow
        .step(FindResources {
            known: spec.resources.clone(),
            effects: spec.effects.clone(),
        })
        .await?;
    let (mut stays, mut held_by) = (Stays::default(), Vec::new());
    for kind in Deleted::of(spec.cluster.provider) {
        stays.note(delete_each(&flow, &found, &held_by, kind).await)?;
        // What a machine holds that does not go is not waited for.
        if kind == Deleted::Machines && stays.0.is_some() {
            held_by = of_kind(&found, kind.kind());
        }
    }
    stays.told()?;
    flow.step(SeeGone {
        known: spec.resources.clone(),
        effects: spec.effects.clone(),
    })
    .await
}

/// What was found of one kind.
fn of_kind(found: &[Resource], kind: &str) -> Vec<Resource> {
    let alike = found.iter().filter(|resource| resource.kind == kind);
    alike.cloned().collect()
}

/// Deletes what was found of one kind, side by side; one of these machines may hold it, and not go.
pub(super) async fn delete_each(
    flow: &Flow<World>,
    found: &[Resource],
    held_by: &[Resource],
    kind: Deleted,
) -> Result<(), Halt> {
    let all = of_kind(found, kind.kind());
    let key = |resource: &Resource| {
        let alike = all.iter().filter(|other| other.name == resource.name);
        match alike.count() {
            1 => ItemKey::from(resource.name.as_str()),
            _ => ItemKey::from(format!("{} {}", resource.name, resource.id)),
        }
    };
    let together = Together::of(all.clone());
    let items: Vec<_> = all
        .iter()
        .map(|resource| {
            let step = Delete::new(kind, resource.clone(), together.clone());
            (key(resource), step.held_by(held_by))
        })
        .collect();
    flow.fan_out_each(Delete::id_of(kind), items).await.map(drop)
}

/// Why something cannot go, of the kinds gone through so far.
#[derive(Debug, Default)]
struct Stays(Option<(StepId, ErrorReport)>);

impl Stays {
    /// Lets the next kind have its turn where this one has failed, and nothing else.
    fn note(&mut self, ended: Result<(), Halt>) -> Result<(), Halt> {
        let (step, error) = match ended {
            Ok(()) => return Ok(()),
            Err(Halt::Failed { step, error }) => (step, error),
            Err(other) => return Err(other),
        };
        let Some((_, first)) = &mut self.0 else {
            self.0 = Some((step, error));
            return Ok(());
        };
        first.causes.push(format!("step `{step}`: {}", error.message));
        first.causes.extend(error.causes);
        let hints: Vec<_> = first.hint.take().into_iter().chain(error.hint).collect();
        first.hint = (!hints.is_empty()).then(|| hints.join("\n"));
        Ok(())
    }

    /// What stays ends the run: it is not paused, since everything else is gone.
    fn told(self) -> Result<(), Halt> {
        let Some((step, mut error)) = self.0 else {
            return Ok(());
        };
        if error.class == ErrorClass::Operator {
            error.class = ErrorClass::Permanent;
        }
        Err(Halt::Failed { step, error })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use mesosflow_workflow::{Attempt, EffectKey, Generation, RunId, StepId, Unanswered};

    use super::*;

    #[test]
    fn a_plan_tells_of_no_doubt_that_ends_with_its_machine() {
        let effect = |step| {
            let step = StepId::from_static(step);
            Effect {
                key: EffectKey::derive(RunId::generate(), Generation::FIRST, &step, None, 0),
                step,
                item: Some("demo-slave-1".into()),
                generation: Generation::FIRST,
                attempt: Attempt::FIRST,
                input_digest: String::new(),
                unanswered: Some(Unanswered {
                    from: Timestamp::UNIX_EPOCH,
                    until: None,
                    tries: 1,
                }),
                before: None,
            }
        };
        let spec = DestroySpec {
            cluster: ClusterSpec::default(),
            resources: Vec::new(),
            effects: ["hostnames", "launch-slaves", "hdfs-format"].map(effect).into(),
        };
        assert_eq!(spec.plan(None).in_doubt, ["launch-slaves demo-slave-1"]);
    }
}
