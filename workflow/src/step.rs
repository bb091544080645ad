//! What a step is: an input, an output, an error, and three acts.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::StepError;
use crate::event::{Event, Resource, Settled};
use crate::ids::{Attempt, EffectKey, Generation, ItemKey, RunId, StepId};
use crate::record::{RecordError, Recorder};
use crate::retry::Retry;
use crate::state::{Effect, RunState, Unanswered};

/// One typed, idempotent step. The struct itself is the input: what is serialised into the journal before anything is
/// touched, and what drift is measured by.
///
/// Every attempt probes first, so an attempt after a crash, a time-out or an ambiguous failure never repeats an effect
/// that is there already.
pub trait Step: Serialize + Send + Sync + 'static {
    /// What all steps of a flow may touch.
    type World: Send + Sync + 'static;
    /// What later steps get.
    type Output: Serialize + DeserializeOwned + Send + 'static;
    /// What can go wrong, with its class.
    type Error: StepError;

    /// Its id in the catalogue: of a type that stands for several steps, the one that this value is.
    fn id(&self) -> StepId;

    /// Is the world already so? Changes nothing.
    fn probe(
        &self,
        cx: &StepCx<Self::World>,
    ) -> impl Future<Output = Result<Probe<Self::Output>, Self::Error>> + Send;

    /// Makes it so. May run after an attempt that died at any point.
    fn apply(
        &self,
        cx: &StepCx<Self::World>,
    ) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;

    /// Looks at the world and refuses to call it done if it is not.
    fn verify(
        &self,
        cx: &StepCx<Self::World>,
        output: &Self::Output,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Sees to an effect in doubt: an older one of this step (or item), under another name, whose end nobody has seen. Either
    /// it is awaited, where what it does may serve, or it is ended and seen gone, before anything new is begun. A command needs
    /// no such care, since none outlives the driver that sent it; a durable job does.
    ///
    /// # Errors
    /// It cannot be found out; then nothing new is begun.
    fn settle(
        &self,
        _cx: &StepCx<Self::World>,
        _effect: &Effect,
    ) -> impl Future<Output = Result<Settled, Self::Error>> + Send {
        std::future::ready(Ok(Settled::Gone))
    }

    /// What it would give from this input, given what it gave from another, as far as that can be told without acting. By
    /// it later steps are found that a changed input concerns, before this one has run.
    fn forecast(&self, before: Self::Output) -> Self::Output {
        before
    }

    /// How long an attempt may go on after a request to stop, where it is better brought to its end than left in the middle; none
    /// for as long as any.
    fn grace(&self) -> Option<Duration> {
        None
    }

    /// How long an attempt may take, and how often to try.
    fn limits(&self) -> Limits {
        Limits::STANDARD
    }
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe<T> {
    /// The world is as the step wants it; its output.
    Done(T),
    /// There is something to do.
    NotDone,
}

impl Probe<()> {
    /// Of a step without an output: done where the world is as it wants it.
    pub const fn done_if(is_so: bool) -> Self {
        match is_so {
            true => Self::Done(()),
            false => Self::NotDone,
        }
    }
}

/// Bounds of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest that one attempt may take; past it the attempt is dropped and counts as ambiguous.
    pub deadline: Duration,
    /// When to try again after a transient or ambiguous failure.
    pub retry: Retry,
}

impl Limits {
    /// Two minutes an attempt, and the standard retries.
    pub const STANDARD: Self = Self {
        deadline: Duration::from_secs(120),
        retry: Retry::STANDARD,
    };

    /// The standard retries with another deadline.
    pub const fn within(deadline: Duration) -> Self {
        Self {
            deadline,
            retry: Retry::STANDARD,
        }
    }
}

/// What an attempt knows of itself, and its way to the journal.
pub struct StepCx<W> {
    pub(crate) world: Arc<W>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) run: RunId,
    pub(crate) generation: Generation,
    pub(crate) round: u32,
    pub(crate) was_up: bool,
    pub(crate) is_asked: bool,
    pub(crate) step: StepId,
    pub(crate) item: Option<ItemKey>,
    pub(crate) attempt: Attempt,
    pub(crate) effect_key: EffectKey,
    pub(crate) input_digest: String,
    pub(crate) former: Option<Value>,
    pub(crate) named_by_replay: bool,
}

impl<W> StepCx<W> {
    /// All that a step may touch.
    pub fn world(&self) -> &W {
        &self.world
    }

    /// The run.
    pub const fn run(&self) -> RunId {
        self.run
    }

    /// The generation that asked for this step: the first, or the newest replay that named it among those to run again. A
    /// step that runs again only because something before it has changed is not asked for anew.
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// Whether it runs because it was asked for and never got there, however often it was begun; and not because what it had
    /// made is gone or was made from something else.
    pub const fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// Whether the run ever came to its end before: until then nobody was told that there is a cluster, and what is in it is
    /// the run's own doing.
    pub const fn was_up(&self) -> bool {
        self.was_up
    }

    /// How often what it had made did not count any more within that generation; 0 for what was asked for.
    pub const fn round(&self) -> u32 {
        self.round
    }

    /// Which try in this generation.
    pub const fn attempt(&self) -> Attempt {
        self.attempt
    }

    /// The name of this step's (or item's) external effect: stable over retries and crashes, new after a replay and once the
    /// outcome was stale.
    pub const fn effect_key(&self) -> &EffectKey {
        &self.effect_key
    }

    /// The newest earlier try of this step's (or item's) effect that nobody has seen answered; none where each one that failed
    /// said that nothing was done.
    pub fn unanswered_before(&self) -> Option<Unanswered> {
        self.recorder
            .inspect(|state| state.effects.get(&self.effect_key)?.before)
    }

    /// Whether an older effect acted on the very input that this attempt has.
    pub fn has_input_of(&self, effect: &Effect) -> bool {
        self.input_digest == effect.input_digest
    }

    /// Whether a replay named this very step as its first (`replay --from` it), and it has not got there since: the user means
    /// it.
    pub const fn named_by_replay(&self) -> bool {
        self.named_by_replay
    }

    /// Whether what a step has made was replaced because the user asked for that by name, and not since it was lost.
    pub fn is_replaced_on_purpose(&self, step: &StepId) -> bool {
        self.recorder.inspect(|state| state.is_replaced_on_purpose(step))
    }

    /// What it gave when it last succeeded, in whichever generation; none where it never did, or gave something else then.
    pub fn former<T: DeserializeOwned>(&self) -> Option<T> {
        T::deserialize(self.former.as_ref()?).ok()
    }

    /// What this run has recorded as gone.
    pub fn deleted_resources(&self) -> Vec<Resource> {
        let gone = |state: &RunState| {
            let gone = state.traces.iter().filter(|trace| !trace.exists);
            gone.map(|trace| trace.resource.clone()).collect()
        };
        self.recorder.inspect(gone)
    }

    /// Whether this run has recorded that it is gone.
    pub fn has_deleted(&self, resource: &Resource) -> bool {
        self.recorder.inspect(|state| state.has_deleted(resource))
    }

    /// What exists by the journal.
    pub fn resources(&self) -> Vec<Resource> {
        self.recorder.state().resources
    }

    /// Whether the run has ever had to do with that thing, be it gone.
    pub fn has_known(&self, resource: &Resource) -> bool {
        let is_it = |state: &RunState| state.traces.iter().any(|trace| trace.resource.is_same(resource));
        self.recorder.inspect(is_it)
    }

    /// Records that `resource` exists; returns once that is durable. Recording it again is fine and writes nothing.
    ///
    /// # Errors
    /// The journal refused or failed.
    pub async fn created(&self, resource: Resource) -> Result<(), RecordError> {
        if self.recorder.inspect(|state| state.resources.contains(&resource)) {
            return Ok(());
        }
        let created = Event::ResourceCreated {
            step: self.step.clone(),
            item: self.item.clone(),
            resource,
        };
        self.recorder.record(created).await
    }

    /// Records that `resource` is gone; returns once that is durable.
    ///
    /// # Errors
    /// The journal refused or failed.
    pub async fn deleted(&self, resource: Resource) -> Result<(), RecordError> {
        self.recorder.record(Event::ResourceDeleted { resource }).await
    }
}
