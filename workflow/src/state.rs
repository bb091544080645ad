//! The state of a run: what its history says, and what may follow.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::catalogue::CatalogueEntry;
use crate::error::{ErrorClass, ErrorReport};
use crate::event::Resource;
use crate::ids::{Attempt, ClusterId, Driver, EffectKey, Epoch, Generation, ItemKey, RunId, Seq, StepId};
use crate::pauses::{Pauses, between};
use crate::progress::{Progress, Status};
use crate::replay::Replay;
use crate::store::Snapshot;
use crate::summary::PhaseKind;

/// The form of the snapshots that this build writes and reads; raised whenever [`RunState`] changes its shape.
pub const SNAPSHOT_FORMAT: u32 = 12;

/// Where a run stands, as far as its history tells. Whether a `Running` one is alive is for the store's lock to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Phase {
    /// Begun or taken over, and not ended.
    Running,
    /// Every step of its catalogue has a valid outcome.
    Succeeded,
    /// A replay came to its end, and steps outside of it have no valid outcome.
    Partial,
    /// It cannot go on by itself.
    Failed(ErrorReport),
    /// It stopped in good order.
    Interrupted(ErrorReport),
    /// It was ended where it stood, on purpose.
    Closed,
}

impl Phase {
    /// The same in one word.
    pub const fn kind(&self) -> PhaseKind {
        match self {
            Self::Running => PhaseKind::Running,
            Self::Succeeded => PhaseKind::Succeeded,
            Self::Partial => PhaseKind::Partial,
            Self::Failed(_) => PhaseKind::Failed,
            Self::Interrupted(_) => PhaseKind::Interrupted,
            Self::Closed => PhaseKind::Closed,
        }
    }
}

/// A step of the catalogue and what has become of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepState {
    /// What is known of it without running it.
    pub entry: CatalogueEntry,
    /// The step as a whole.
    pub progress: Progress,
    /// Why it was skipped; also while that is out of date.
    pub skipped: Option<String>,
    /// The newest generation that asked for it: the first, or that of a replay which named it among those to run again.
    pub asked: Generation,
    /// Whether that generation's replay named it as its first step: the user means this very one.
    pub meant: bool,
    /// What it was called when that generation asked for it: by this name its effects are called.
    pub named: StepId,
    /// Its items, in a fan-out.
    pub items: BTreeMap<ItemKey, Progress>,
}

impl StepState {
    pub(crate) fn pending(entry: &CatalogueEntry, generation: Generation) -> Self {
        Self {
            entry: entry.clone(),
            progress: Progress::pending(generation),
            skipped: None,
            asked: generation,
            meant: false,
            named: entry.id.clone(),
            items: BTreeMap::new(),
        }
    }

    /// Whether it has an outcome that later steps can build on, be it out of date: what ran again and got nowhere has that of the
    /// time before.
    pub const fn has_outcome(&self) -> bool {
        match self.progress.status {
            Status::Succeeded | Status::Skipped => true,
            Status::Stale | Status::Running | Status::Failed => {
                self.progress.output.is_some() || self.skipped.is_some()
            }
            Status::Pending => false,
        }
    }

    /// Why it was skipped, or why its outcome does not count any more.
    pub fn reason(&self) -> Option<&str> {
        match self.progress.status {
            Status::Stale => self.progress.stale.as_deref(),
            Status::Skipped => self.skipped.as_deref(),
            _ => None,
        }
    }

    /// Whether it is a fan-out of which no item gave anything to later steps: one more item makes no difference to them.
    pub(crate) fn gives_nothing(&self) -> bool {
        let gave = |progress: &Progress| progress.output.as_ref().is_some_and(|output| !output.is_null());
        !self.items.is_empty() && !self.items.values().any(gave)
    }

    /// The step as a whole, or one of its items.
    pub fn of(&self, item: Option<&ItemKey>) -> Option<&Progress> {
        match item {
            None => Some(&self.progress),
            Some(item) => self.items.get(item),
        }
    }
}

/// The last that a history says of a thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// The thing.
    pub resource: Resource,
    /// Whether it exists.
    pub exists: bool,
    /// The take-over under which that was said: of several runs of a cluster, the highest knows best.
    pub epoch: Epoch,
}

/// A started effect whose outcome nobody has seen: it may have happened, and it may still be going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// The step.
    pub step: StepId,
    /// The item, usually a node's name.
    pub item: Option<ItemKey>,
    /// The generation of its last try.
    pub generation: Generation,
    /// That try.
    pub attempt: Attempt,
    /// The digest of the input that it acted on.
    pub input_digest: String,
    /// Its name, which is also that of its remote job.
    pub key: EffectKey,
    /// The newest try of it that nobody has seen answered; none where every one has failed in a way which says that nothing
    /// was done.
    pub unanswered: Option<Unanswered>,
    /// The same before its newest try began.
    #[doc(hidden)]
    pub before: Option<Unanswered>,
}

/// A try of an effect that nobody has seen answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unanswered {
    /// When it began.
    pub from: Timestamp,
    /// When it had ended at the latest: it was given up, or its driver was seen to be gone. None while it may go on.
    pub until: Option<Timestamp>,
    /// How many tries nobody has seen answered, it and those before it: each may have done something.
    #[serde(default = "one")]
    pub tries: u32,
}

const fn one() -> u32 {
    1
}

impl Effect {
    /// Whoever was at it is gone since `at`.
    pub fn abandoned(&mut self, at: Timestamp) {
        if let Some(unanswered) = &mut self.unanswered {
            unanswered.until.get_or_insert(at);
        }
    }

    /// Its newest try has failed, in a way that leaves open whether anything was done, or that says that nothing was.
    pub(crate) fn failed(&mut self, at: Timestamp, class: ErrorClass) {
        match class {
            ErrorClass::Ambiguous => self.abandoned(at),
            _ => self.unanswered = self.before,
        }
    }
}

/// The state of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// The run.
    pub run: RunId,
    /// The event format in which it began.
    pub format: u16,
    /// The workflow that it is a run of.
    pub workflow: String,
    /// The cluster's name.
    pub cluster: String,
    /// The cluster.
    pub cluster_id: ClusterId,
    /// The provider's name.
    pub provider: String,
    /// The frozen spec.
    pub spec: Value,
    /// The program that drives it, by its newest record.
    pub tool_version: String,
    /// Where it stands.
    pub phase: Phase,
    /// Which pass over the catalogue.
    pub generation: Generation,
    /// The newest take-over.
    pub epoch: Epoch,
    /// The take-over whose driver asked for the replay in force; the first one where there was none.
    #[serde(default = "first_epoch")]
    pub replayed_by: Epoch,
    /// The last event's number.
    pub seq: Seq,
    /// When it began.
    pub started_at: Timestamp,
    /// When it last ended; none while it runs.
    pub finished_at: Option<Timestamp>,
    /// The last event's time.
    pub moved_at: Timestamp,
    /// When nobody drove it.
    pub pauses: Pauses,
    /// The replay of the current generation; none in the first.
    pub replay: Option<Replay>,
    /// The newest replay that found the cluster changed by other runs.
    pub reshaped: Option<Seq>,
    /// Whether that replay's bounds hold no more: it came to its end, and the run was taken over to do what is left.
    pub lifted: bool,
    /// The steps, in catalogue order.
    pub steps: Vec<StepState>,
    /// Steps that the catalogue of an earlier version had, and what had become of them.
    pub dropped: Vec<StepState>,
    /// What exists by this history, in order of creation.
    pub resources: Vec<Resource>,
    /// What this history last says of each thing that it has made or deleted, be it made by another run of the cluster.
    pub traces: Vec<Trace>,
    /// Who has driven the cluster, as far as this history tells: whoever else a node obeys came from another one.
    pub drivers: BTreeSet<Driver>,
    /// Effects in doubt, of all generations, by their names.
    pub effects: BTreeMap<EffectKey, Effect>,
    /// Whether it was ever taken over to be destroyed: it cannot be resumed since.
    pub destroyed: bool,
    /// Whether it ever came to its end, whole or in part: from then on, what is in the cluster may be somebody's.
    #[serde(default)]
    pub was_up: bool,
}

const fn first_epoch() -> Epoch {
    Epoch::FIRST
}

/// What the current pass over the catalogue does with a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// It runs it, if it has no valid outcome.
    Runs,
    /// It comes before the first step of the replay: what it gave is kept as it is.
    Keeps,
    /// The replay ends before it.
    EndsBefore,
    /// The replay is of one earlier step only: this one is looked at, and declared stale if its input has changed.
    Looks,
}

/// Why a replay cannot begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayRefused {
    /// The run's catalogue does not have this step.
    #[error("no step `{0}` in the run's catalogue")]
    UnknownStep(StepId),
    /// Its last step comes before its first one.
    #[error("the replay ends before it begins")]
    EndsBeforeItBegins,
    /// A step before the first one has no outcome that could be kept.
    #[error("step `{0}`, which comes before, has no outcome to keep")]
    NoOutcome(StepId),
}

/// An event that cannot follow the history before it: a damaged journal, or a defect of the program.
#[derive(Debug, thiserror::Error)]
#[error("event {seq} ({kind}) cannot follow: {why}")]
pub struct IllegalTransition {
    /// The event's number.
    pub seq: Seq,
    /// Its kind.
    pub kind: &'static str,
    /// What speaks against it.
    pub why: String,
}

impl RunState {
    /// How long the run was driven from `from` to `to`. A driver that was killed is known to have lived until its last event.
    pub fn driven(&self, from: Timestamp, to: Timestamp) -> Duration {
        between(from, to).saturating_sub(self.pauses.within(from, to))
    }

    /// What a step or an item of this run took while the run was driven: from its first try's start to its last one's end.
    /// None while that is not known.
    pub fn took(&self, progress: &Progress) -> Option<Duration> {
        Some(self.driven(progress.started_at?, progress.finished_at?))
    }

    /// The state as a store keeps it; none where it cannot be written down.
    pub fn to_snapshot(&self) -> Option<Snapshot> {
        Some(Snapshot {
            seq: self.seq,
            format: SNAPSHOT_FORMAT,
            state: serde_json::to_vec(self).ok()?,
        })
    }

    /// The state that a store kept; none where it is another version's, or of another run.
    pub(crate) fn from_snapshot(run: RunId, snapshot: &Snapshot) -> Option<Self> {
        if snapshot.format != SNAPSHOT_FORMAT {
            return None;
        }
        let state: Self = serde_json::from_slice(&snapshot.state).ok()?;
        (state.run == run && state.seq == snapshot.seq).then_some(state)
    }

    /// Whether `replay` can begin here, and the places in the catalogue of the steps that it runs. To be asked before a run
    /// is taken over: a replay that is refused afterwards leaves an ended run open.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check_replay(&self, replay: &Replay) -> Result<std::ops::RangeInclusive<usize>, ReplayRefused> {
        let place = |step: &StepId| {
            self.index(step)
                .ok_or_else(|| ReplayRefused::UnknownStep(step.clone()))
        };
        let from = place(&replay.from)?;
        let last = self.steps.len() - 1;
        let to = replay.to.as_ref().map_or(Ok(last), place)?;
        if to < from {
            return Err(ReplayRefused::EndsBeforeItBegins);
        }
        if let Some(open) = self.steps[..from].iter().find(|s| !s.has_outcome()) {
            return Err(ReplayRefused::NoOutcome(open.entry.id.clone()));
        }
        Ok(from..=if replay.only { from } else { to })
    }

    /// The place of a step in the catalogue, from 0.
    pub fn index(&self, step: &StepId) -> Option<usize> {
        self.steps.iter().position(|s| s.entry.id == *step)
    }

    /// What has become of a step; `None` where the run's catalogue does not have it.
    pub fn step(&self, step: &StepId) -> Option<&StepState> {
        self.steps.iter().find(|s| s.entry.id == *step)
    }

    /// What the current pass does with a step of the catalogue: it runs every one in the first generation and once a
    /// replay's bounds hold no more, those from `from` to `to` (or `from` alone) in a replay.
    pub fn pass(&self, step: &StepId) -> Pass {
        let Some(Replay { from, to, only }) = self.replay.as_ref().filter(|_| !self.lifted) else {
            return Pass::Runs;
        };
        let place = self.index(step);
        let is_past = |last: &StepId| place > self.index(last);
        if place < self.index(from) {
            // What is out of date there is done first: the replay would build on it. So is what another version has put there, and
            // what was made from something that was lost and is another one since.
            let keeps = self.step(step).is_some_and(|found| {
                found.progress.status.is_valid() && !self.is_superseded(step, found.progress.started)
            });
            return if keeps { Pass::Keeps } else { Pass::Runs };
        }
        match to {
            _ if *only && is_past(from) => Pass::Looks,
            Some(to) if !*only && is_past(to) => Pass::EndsBefore,
            _ => Pass::Runs,
        }
    }

    /// Whether the newest replay that asked for this step named it as its first.
    pub fn is_named_by_replay(&self, step: &StepId) -> bool {
        self.step(step).is_some_and(|step| step.meant)
    }

    /// Whether a replay asked for this step by name, and nothing of what it has made since was lost: what went with what it replaced
    /// is what the user gave up.
    pub fn is_replaced_on_purpose(&self, step: &StepId) -> bool {
        let found = self.step(step).filter(|step| step.meant);
        found.is_some_and(|step| step.items.values().all(|item| item.round == 0))
    }

    /// The steps without a valid outcome, in catalogue order: none where the run has done all.
    pub fn open(&self) -> impl Iterator<Item = &StepState> {
        self.steps.iter().filter(|step| !step.progress.status.is_valid())
    }

    /// The number and the effect's name of the next try of a step or item.
    pub fn next_try(&self, step: &StepId, item: Option<&ItemKey>) -> (Attempt, EffectKey) {
        let found = self.step(step);
        let asked = found.map_or(self.generation, |found| found.asked);
        let progress = found.and_then(|found| found.of(item));
        let attempt = progress.map_or(Attempt::FIRST, |p| p.next_attempt(self.generation));
        let round = progress.map_or(0, |p| p.next_round(asked));
        let named = found.map_or(step, |found| &found.named);
        (attempt, EffectKey::derive(self.run, asked, named, item, round))
    }

    /// Whether a step, or an item of it that was last begun by event `started`, may rightly have another input by now: a step
    /// before it gave another output since. Otherwise another input can only come from another program.
    pub fn is_superseded(&self, step: &StepId, started: Seq) -> bool {
        let place = self.index(step).unwrap_or_default();
        self.steps[..place]
            .iter()
            .flat_map(|step| step.items.values().chain([&step.progress]))
            .any(|progress| progress.replaced.is_some_and(|replaced| replaced > started))
    }

    /// Whether the cluster was found changed by other runs since event `started`: another input may come from that.
    pub fn is_reshaped(&self, started: Seq) -> bool {
        self.reshaped.is_some_and(|reshaped| reshaped > started)
    }

    /// Whether the last that this history says of a thing is that it is gone.
    pub fn has_deleted(&self, resource: &Resource) -> bool {
        let said = self.traces.iter().find(|trace| trace.resource.is_same(resource));
        said.is_some_and(|trace| !trace.exists)
    }

    /// The effects in doubt of a step or item, but for the one called `but`.
    pub fn doubts(&self, step: &StepId, item: Option<&ItemKey>, but: &EffectKey) -> Vec<Effect> {
        self.effects
            .values()
            .filter(|effect| effect.step == *step && effect.item.as_ref() == item && effect.key != *but)
            .cloned()
            .collect()
    }
}
