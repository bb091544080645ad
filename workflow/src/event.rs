//! The events of a run's history: one closed enum whose serialised names never change.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::catalogue::{CatalogueEntry, Renamed};
use crate::error::ErrorReport;
use crate::ids::{
    Attempt, ClusterId, Driver, EffectKey, Epoch, Generation, ItemKey, Nonce, RunId, Seq, StepId,
};

/// The newest event format that this build reads and writes. A journal with a newer one is refused, not guessed at.
///
/// Format 1 had neither clusters nor effects in doubt: its runs are shown and destroyed, and not resumed.
pub const EVENT_FORMAT: u16 = 2;

/// The oldest format in which a run may have begun that this build drives on.
pub const OLDEST_DRIVEN: u16 = 2;

/// An event as it stands in the journal: what happened, and where in which history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// The run whose history this is.
    pub run: RunId,
    /// Its place in that history.
    pub seq: Seq,
    /// When it was recorded, UTC.
    pub at: Timestamp,
    /// Which take-over of the run wrote it.
    pub epoch: Epoch,
    /// The generation it belongs to; [`Event::ReplayRequested`] belongs to the one that it begins.
    pub generation: Generation,
    /// The format it was written in, at most [`EVENT_FORMAT`].
    pub format: u16,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What can happen to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The run exists: its spec is frozen here, later flags do not change it.
    RunStarted {
        /// The workflow that it is a run of (`deploy`, the only one of format 1).
        #[serde(default = "deploy")]
        workflow: String,
        /// The cluster's name.
        cluster: String,
        /// The cluster, whatever becomes of its name; none in format 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cluster_id: Option<ClusterId>,
        /// The provider's name (`local`, `ec2`, `hosts`).
        provider: String,
        /// The whole spec.
        spec: Value,
        /// The version of the program that started it.
        tool_version: String,
        /// The steps, in the order that replay follows.
        catalogue: Vec<CatalogueEntry>,
        /// What tells this beginning from another one of its epoch; none in format 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Nonce>,
        /// Drivers that no history of the cluster has, whom its nodes obeyed, and who were passed over on purpose.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        over: Vec<Driver>,
    },
    /// A process took the run over; the event's epoch is the new one.
    RunAdopted {
        /// What for.
        purpose: Purpose,
        /// The process.
        pid: u32,
        /// The machine it runs on.
        host: String,
        /// What tells this take-over from another one of its epoch; none in format 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Nonce>,
        /// Drivers that this history does not have, whom the nodes obeyed, and who were passed over on purpose.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        over: Vec<Driver>,
    },
    /// A step, or an item of it, is about to act. Committed before the world is touched.
    StepStarted {
        /// The step.
        step: StepId,
        /// The item, in a fan-out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<ItemKey>,
        /// Which try in this generation.
        attempt: Attempt,
        /// What it acts on.
        input: Value,
        /// SHA-256 of the input's JSON, hex: what drift is measured by.
        input_digest: String,
        /// The name of its external effect.
        effect_key: EffectKey,
    },
    /// A step or item reached its aim and verified it.
    StepSucceeded {
        /// The step.
        step: StepId,
        /// The item, in a fan-out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<ItemKey>,
        /// The try that did.
        attempt: Attempt,
        /// What the next steps get.
        output: Value,
        /// Whether there was anything to do.
        how: How,
    },
    /// A try failed.
    StepFailed {
        /// The step.
        step: StepId,
        /// The item, in a fan-out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<ItemKey>,
        /// The try that did.
        attempt: Attempt,
        /// Why.
        error: ErrorReport,
        /// Milliseconds until the next try; none where this was the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_in_ms: Option<u64>,
    },
    /// A step does not apply to this cluster.
    StepSkipped {
        /// The step.
        step: StepId,
        /// Why, for `status`.
        reason: String,
    },
    /// An outcome no longer counts: what it had made is gone or was replaced, or what it was made from has changed. With an
    /// item it concerns that one alone, and its step is open again for it.
    StepStale {
        /// The step.
        step: StepId,
        /// The item, where it concerns one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<ItemKey>,
        /// Why, for `status`.
        reason: String,
        /// Whether nobody can see to it now: the run ends without it, as `partial`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        left: bool,
    },
    /// An effect in doubt, of an attempt whose end nobody saw, is in doubt no more.
    EffectSettled {
        /// The step whose effect it was.
        step: StepId,
        /// The item, in a fan-out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<ItemKey>,
        /// Its name.
        effect_key: EffectKey,
        /// What became of it.
        settled: Settled,
    },
    /// Something exists that has to be deleted one day.
    ResourceCreated {
        /// The step that made it.
        step: StepId,
        /// The item, in a fan-out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<ItemKey>,
        /// What was made.
        resource: Resource,
    },
    /// It is gone, seen so.
    ResourceDeleted {
        /// What was deleted.
        resource: Resource,
    },
    /// A new generation begins: `from` and the steps after it are stale.
    ReplayRequested {
        /// The first step to run again.
        from: StepId,
        /// The last one; none for all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<StepId>,
        /// Only `from` is stale; the steps after it keep their outcomes.
        #[serde(default)]
        only: bool,
        /// The spec that is in force for the cluster by now; none where that is the run's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spec: Option<Value>,
        /// What other runs of the cluster have done of its steps since: it counts as if this one had.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        inherited: Vec<Inherited>,
    },
    /// Another version of the program drives the run from here on, with another catalogue.
    CatalogueChanged {
        /// The version.
        tool_version: String,
        /// The steps as they are from now on, in the order that replay follows.
        catalogue: Vec<CatalogueEntry>,
        /// Steps that were not there before: they will run.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        added: Vec<StepId>,
        /// Steps that are no more; what they did stays in the history.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        dropped: Vec<StepId>,
        /// Steps that have another name now.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        renamed: Vec<Renamed>,
    },
    /// A value of the spec was given anew, one of the few that may be: later drivers go by this one.
    SpecAmended {
        /// Its place in the spec, names separated by dots: `ec2.admin_cidr`.
        field: String,
        /// What it was.
        before: Value,
        /// What it is from now on.
        value: Value,
        /// The steps that have to see to it, whose outcomes count no more.
        steps: Vec<StepId>,
    },
    /// The run stopped in good order before its end and can be resumed.
    RunInterrupted {
        /// Why, and what to do.
        reason: ErrorReport,
    },
    /// The run cannot go on by itself.
    RunFailed {
        /// The step that failed, if one did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepId>,
        /// Why.
        error: ErrorReport,
    },
    /// Every step of the catalogue has a valid outcome. (In format 1: every step that the generation had to run.)
    RunSucceeded,
    /// A replay came to its end, and steps outside of it have no valid outcome.
    RunPartial {
        /// Those steps, in catalogue order.
        open: Vec<StepId>,
    },
    /// The run was ended where it stood, on purpose: nobody goes on with it, and the cluster is free for other runs.
    RunClosed {
        /// The steps without a valid outcome, in catalogue order.
        open: Vec<StepId>,
    },
}

/// The workflow of runs that name none.
fn deploy() -> String {
    "deploy".to_owned()
}

/// What another run of the cluster has done of a step, or of an item of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inherited {
    /// The step.
    pub step: StepId,
    /// The item, in a fan-out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemKey>,
    /// SHA-256 of the input that it had there, hex.
    pub input_digest: String,
    /// What it gave.
    pub output: Value,
}

/// What became of an effect in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    /// Nothing of it was left.
    Gone,
    /// It was still going on, and was waited for to its end.
    Awaited,
    /// It was still going on, was ended, and seen gone.
    Ended,
}

/// What a process takes a run over for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To go on with it. (In format 1 there were deploys alone.)
    #[serde(alias = "deploy")]
    Drive,
    /// To end it where it stands.
    Close,
    /// To delete what it created, without a run of its own: in format 1, and where the history is damaged.
    Destroy,
}

/// How a step reached its aim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The world was already so: the probe found it.
    Found,
    /// It was applied, then verified.
    Applied,
    /// A fan-out whose every item reached its aim.
    Items,
}

/// Something outside of the journal which a run created: enough to find and delete it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// What it is, in the provider's words: `instance`, `network`, `security-group`, `volume`, `spot-request`, `key`.
    #[serde(rename = "resource_kind")]
    pub kind: String,
    /// The provider's id.
    pub id: String,
    /// Its name for people.
    pub name: String,
}

impl Resource {
    /// Whether it is that thing, by whatever name.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.kind, &self.id) == (&other.kind, &other.id)
    }
}

impl Event {
    /// The kind in snake case, as it is serialised.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::RunStarted { .. } => "run_started",
            Self::RunAdopted { .. } => "run_adopted",
            Self::StepStarted { .. } => "step_started",
            Self::StepSucceeded { .. } => "step_succeeded",
            Self::StepFailed { .. } => "step_failed",
            Self::StepSkipped { .. } => "step_skipped",
            Self::StepStale { .. } => "step_stale",
            Self::EffectSettled { .. } => "effect_settled",
            Self::ResourceCreated { .. } => "resource_created",
            Self::ResourceDeleted { .. } => "resource_deleted",
            Self::ReplayRequested { .. } => "replay_requested",
            Self::CatalogueChanged { .. } => "catalogue_changed",
            Self::SpecAmended { .. } => "spec_amended",
            Self::RunInterrupted { .. } => "run_interrupted",
            Self::RunFailed { .. } => "run_failed",
            Self::RunSucceeded => "run_succeeded",
            Self::RunPartial { .. } => "run_partial",
            Self::RunClosed { .. } => "run_closed",
        }
    }

    /// The step it is about, if it is about one.
    pub const fn step(&self) -> Option<&StepId> {
        match self {
            Self::StepStarted { step, .. }
            | Self::StepSucceeded { step, .. }
            | Self::StepFailed { step, .. }
            | Self::StepSkipped { step, .. }
            | Self::StepStale { step, .. }
            | Self::EffectSettled { step, .. }
            | Self::ResourceCreated { step, .. } => Some(step),
            Self::RunFailed { step, .. } => step.as_ref(),
            _ => None,
        }
    }

    /// The item it is about, if it is about one.
    pub const fn item(&self) -> Option<&ItemKey> {
        match self {
            Self::StepStarted { item, .. }
            | Self::StepSucceeded { item, .. }
            | Self::StepFailed { item, .. }
            | Self::StepStale { item, .. }
            | Self::EffectSettled { item, .. }
            | Self::ResourceCreated { item, .. } => item.as_ref(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_serialises_flat_with_its_kind_in_snake_case() {
        let recorded = Recorded {
            run: "01jd3k00000000000000000000".parse().unwrap(),
            seq: Seq(7),
            at: Timestamp::UNIX_EPOCH,
            epoch: Epoch::FIRST,
            generation: Generation::FIRST,
            format: EVENT_FORMAT,
            event: Event::ResourceCreated {
                step: StepId::from_static("launch-slaves"),
                item: Some("demo-slave-1".into()),
                resource: Resource {
                    kind: "instance".into(),
                    id: "abc".into(),
                    name: "demo-slave-1".into(),
                },
            },
        };
        let json = serde_json::to_value(&recorded).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "run": "01jd3k00000000000000000000", "seq": 7, "at": "1970-01-01T00:00:00Z", "epoch": 1,
                "generation": 1, "format": 2, "kind": "resource_created", "step": "launch-slaves",
                "item": "demo-slave-1",
                "resource": {"resource_kind": "instance", "id": "abc", "name": "demo-slave-1"},
            })
        );
        assert_eq!(serde_json::from_value::<Recorded>(json).unwrap(), recorded);
        assert_eq!(recorded.event.kind(), "resource_created");
    }
}
