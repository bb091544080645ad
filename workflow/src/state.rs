//! The fold: a pure function from a run's events to its state, and the only place where state changes.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use serde_json::Value;

use crate::catalogue::CatalogueEntry;
use crate::error::ErrorReport;
use crate::event::{EVENT_FORMAT, Event, Purpose, Recorded, Resource};
use crate::ids::{Epoch, Generation, ItemKey, RunId, Seq, StepId};
use crate::progress::{Progress, Status};

/// The form of the snapshots that this build writes and reads; raised whenever [`RunState`] changes its shape.
pub const SNAPSHOT_FORMAT: u32 = 1;

/// Where a run stands, as far as its history tells. Whether a `Running` one is alive is for the store's lock to say.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// Begun or taken over, and not ended.
    Running,
    /// Every step of its generation has its outcome.
    Succeeded,
    /// It cannot go on by itself.
    Failed(ErrorReport),
    /// It stopped in good order.
    Interrupted(ErrorReport),
}

/// A step of the catalogue and what has become of it.
#[derive(Debug, Clone, PartialEq)]
pub struct StepState {
    /// What is known of it without running it.
    pub entry: CatalogueEntry,
    /// The generation that last touched it.
    pub generation: Generation,
    /// The step as a whole.
    pub progress: Progress,
    /// Why it was skipped.
    pub reason: Option<String>,
    /// Its items, in a fan-out.
    pub items: BTreeMap<ItemKey, Progress>,
}

impl StepState {
    /// Whether it has an outcome that later steps can build on, be it out of date.
    pub const fn has_outcome(&self) -> bool {
        match self.progress.status {
            Status::Succeeded | Status::Skipped => true,
            Status::Stale => self.progress.output.is_some() || self.reason.is_some(),
            Status::Pending | Status::Running | Status::Failed => false,
        }
    }
}

/// A replay in force: which steps, by their places in the catalogue, the current generation runs again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The first step to run again.
    pub from: StepId,
    /// The last one to run in this generation; none for all.
    pub to: Option<StepId>,
    /// Only `from`.
    pub only: bool,
}

/// The state of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunState {
    /// The run.
    pub run: RunId,
    /// The cluster's name.
    pub cluster: String,
    /// The provider's name.
    pub provider: String,
    /// The frozen spec.
    pub spec: Value,
    /// The program that started it.
    pub tool_version: String,
    /// Where it stands.
    pub phase: Phase,
    /// Which pass over the catalogue.
    pub generation: Generation,
    /// The newest take-over.
    pub epoch: Epoch,
    /// The last event's number.
    pub seq: Seq,
    /// When it began.
    pub started_at: Timestamp,
    /// When it last ended; none while it runs.
    pub finished_at: Option<Timestamp>,
    /// The replay of the current generation; none in the first.
    pub replay: Option<Replay>,
    /// The steps, in catalogue order.
    pub steps: Vec<StepState>,
    /// What exists by this history, in order of creation.
    pub resources: Vec<Resource>,
    /// Whether it was ever taken over to be destroyed: it cannot be resumed since.
    pub destroyed: bool,
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
    /// Folds a whole history.
    ///
    /// # Errors
    /// The first event that cannot stand where it does; an empty history is refused like a missing `run_started`.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a Recorded>) -> Result<Self, IllegalTransition> {
        let mut events = events.into_iter();
        let first = events.next().ok_or_else(|| IllegalTransition {
            seq: Seq::FIRST,
            kind: "run_started",
            why: "the history is empty".into(),
        })?;
        let mut state = Self::begin(first)?;
        for recorded in events {
            state.apply(recorded)?;
        }
        Ok(state)
    }

    /// The state after a history's first event.
    ///
    /// # Errors
    /// The event is not a `run_started` with number 1.
    pub fn begin(first: &Recorded) -> Result<Self, IllegalTransition> {
        let illegal = |why: &str| IllegalTransition {
            seq: first.seq,
            kind: first.event.kind(),
            why: why.to_owned(),
        };
        let Event::RunStarted {
            cluster,
            provider,
            spec,
            tool_version,
            catalogue,
            ..
        } = &first.event
        else {
            return Err(illegal("a history begins with run_started"));
        };
        if first.seq != Seq::FIRST {
            return Err(illegal("a history begins with number 1"));
        }
        let steps = catalogue.iter().map(|entry| StepState {
            entry: entry.clone(),
            generation: first.generation,
            progress: Progress::pending(),
            reason: None,
            items: BTreeMap::new(),
        });
        Ok(Self {
            run: first.run,
            cluster: cluster.clone(),
            provider: provider.clone(),
            spec: spec.clone(),
            tool_version: tool_version.clone(),
            phase: Phase::Running,
            generation: first.generation,
            epoch: first.epoch,
            seq: first.seq,
            started_at: first.at,
            finished_at: None,
            replay: None,
            steps: steps.collect(),
            resources: Vec::new(),
            destroyed: false,
        })
    }

    /// The one transition function: the state after one more event. On an error the state is as it was.
    ///
    /// # Errors
    /// The event cannot follow the history so far.
    pub fn apply(&mut self, recorded: &Recorded) -> Result<(), IllegalTransition> {
        self.transition(recorded).map_err(|why| IllegalTransition {
            seq: recorded.seq,
            kind: recorded.event.kind(),
            why,
        })?;
        self.seq = recorded.seq;
        self.epoch = recorded.epoch;
        self.generation = recorded.generation;
        Ok(())
    }

    fn transition(&mut self, recorded: &Recorded) -> Result<(), String> {
        let Recorded {
            run,
            seq,
            at,
            epoch,
            generation,
            format,
            event,
        } = recorded;
        let replaying = matches!(event, Event::ReplayRequested { .. });
        if *format > EVENT_FORMAT {
            return Err(format!(
                "format {format} is newer than {EVENT_FORMAT}, the newest this program reads"
            ));
        }
        if *run != self.run {
            return Err(format!("it belongs to run {run}"));
        }
        if *seq != self.seq.next() {
            return Err(format!("number {} comes next", self.seq.next()));
        }
        if *epoch < self.epoch || (*epoch > self.epoch && !matches!(event, Event::RunAdopted { .. })) {
            return Err(format!(
                "epoch {epoch} was not adopted, the newest is {}",
                self.epoch
            ));
        }
        let expected = if replaying {
            self.generation.next()
        } else {
            self.generation
        };
        if *generation != expected {
            return Err(format!("generation {generation} where {expected} was expected"));
        }
        match event {
            Event::RunStarted { .. } => return Err("the run has started already".into()),
            Event::RunAdopted { purpose, .. } => {
                if *epoch == self.epoch {
                    return Err("an adoption needs a new epoch".into());
                }
                match purpose {
                    Purpose::Deploy if self.destroyed => return Err("the run was destroyed".into()),
                    Purpose::Deploy => {
                        self.phase = Phase::Running;
                        self.finished_at = None;
                    }
                    Purpose::Destroy => self.destroyed = true,
                }
            }
            Event::StepStarted {
                step,
                item,
                attempt,
                input_digest,
                effect_key,
                ..
            } => {
                self.must_run()?;
                self.must_be_due(step)?;
                let state = self.step_mut(step)?;
                let anew = state.generation != *generation || state.progress.status == Status::Stale;
                match item {
                    None if anew => {
                        let mut progress = Progress::pending();
                        progress.start(*at, *attempt, input_digest, effect_key)?;
                        state.generation = *generation;
                        state.reason = None;
                        state.progress = progress;
                        state.items.clear();
                    }
                    None => state.progress.start(*at, *attempt, input_digest, effect_key)?,
                    Some(_) if anew || state.progress.status != Status::Running => {
                        return Err("its step has not started".into());
                    }
                    Some(item) => {
                        let mut progress = state.items.get(item).cloned().unwrap_or(Progress::pending());
                        progress.start(*at, *attempt, input_digest, effect_key)?;
                        state.items.insert(item.clone(), progress);
                    }
                }
            }
            Event::StepSucceeded {
                step,
                item,
                attempt,
                output,
                ..
            } => {
                self.must_run()?;
                self.progress_mut(step, item.as_ref())?
                    .succeed(*at, *attempt, output)?;
            }
            Event::StepFailed {
                step,
                item,
                attempt,
                error,
                retry_in_ms,
            } => {
                self.must_run()?;
                self.progress_mut(step, item.as_ref())?
                    .fail(*at, *attempt, error, retry_in_ms.is_some())?;
            }
            Event::StepSkipped { step, reason } => {
                self.must_run()?;
                self.must_be_due(step)?;
                let state = self.step_mut(step)?;
                if matches!(state.progress.status, Status::Succeeded | Status::Skipped) {
                    return Err(format!("it has its outcome: {}", state.progress.status.as_str()));
                }
                state.generation = *generation;
                state.reason = Some(reason.clone());
                state.progress = Progress {
                    status: Status::Skipped,
                    finished_at: Some(*at),
                    ..Progress::pending()
                };
                state.items.clear();
            }
            Event::ResourceCreated { resource, .. } => {
                self.must_run()?;
                if !self.resources.contains(resource) {
                    self.resources.push(resource.clone());
                }
            }
            Event::ResourceDeleted { resource } => {
                self.resources
                    .retain(|r| (&r.kind, &r.id) != (&resource.kind, &resource.id));
            }
            Event::ReplayRequested { from, to, only } => {
                self.must_run()?;
                self.begin_replay(Replay {
                    from: from.clone(),
                    to: to.clone(),
                    only: *only,
                })?;
            }
            Event::RunInterrupted { reason } => {
                self.must_run()?;
                self.end(Phase::Interrupted(reason.clone()), *at);
            }
            Event::RunFailed { error, .. } => {
                self.must_run()?;
                self.end(Phase::Failed(error.clone()), *at);
            }
            Event::StepStale { .. }
            | Event::EffectSettled { .. }
            | Event::CatalogueChanged { .. }
            | Event::RunPartial { .. } => {}
            Event::RunSucceeded => {
                self.must_run()?;
                if let Some(open) = self.steps.iter().find(|s| self.lacks_outcome(s)) {
                    return Err(format!(
                        "step {} is {}",
                        open.entry.id,
                        open.progress.status.as_str()
                    ));
                }
                self.end(Phase::Succeeded, *at);
            }
        }
        Ok(())
    }

    fn must_run(&self) -> Result<(), String> {
        if self.phase == Phase::Running {
            Ok(())
        } else {
            Err("the run has ended".into())
        }
    }

    fn must_be_due(&self, step: &StepId) -> Result<(), String> {
        if self.index(step).is_some() && !self.is_in_range(step) {
            return Err(format!("the replay in force does not run step {step}"));
        }
        Ok(())
    }

    fn end(&mut self, phase: Phase, at: Timestamp) {
        self.phase = phase;
        self.finished_at = Some(at);
    }

    /// Whether a step that the current generation has to run is without a good outcome.
    fn lacks_outcome(&self, step: &StepState) -> bool {
        let done = matches!(step.progress.status, Status::Succeeded | Status::Skipped);
        !done && self.is_in_range(&step.entry.id)
    }

    fn begin_replay(&mut self, replay: Replay) -> Result<(), String> {
        let stale = self
            .check_replay(&replay)
            .map_err(|refused| refused.to_string())?;
        for step in &mut self.steps[stale] {
            if step.progress.status != Status::Pending {
                step.progress.status = Status::Stale;
            }
        }
        self.replay = Some(replay);
        Ok(())
    }

    /// Whether `replay` can begin here, and the places in the catalogue that it would make stale. To be asked before a
    /// run is taken over: a replay that is refused afterwards leaves an ended run open.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check_replay(&self, replay: &Replay) -> Result<RangeInclusive<usize>, ReplayRefused> {
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
        Ok(from..=if replay.only { from } else { last })
    }

    /// The place of a step in the catalogue, from 0.
    pub fn index(&self, step: &StepId) -> Option<usize> {
        self.steps.iter().position(|s| s.entry.id == *step)
    }

    /// What has become of a step; `None` where the run's catalogue does not have it.
    pub fn step(&self, step: &StepId) -> Option<&StepState> {
        self.steps.iter().find(|s| s.entry.id == *step)
    }

    /// Whether the current generation runs this step if it has no valid outcome: every step in the first generation,
    /// the steps from `from` to `to` (or `from` alone) in a replay.
    pub fn is_in_range(&self, step: &StepId) -> bool {
        let Some(Replay { from, .. }) = &self.replay else {
            return true;
        };
        self.index(step) >= self.index(from) && !self.is_past_range(step)
    }

    /// Whether the current generation ends before this step: what it gave before, if anything, does not matter.
    pub fn is_past_range(&self, step: &StepId) -> bool {
        let Some(Replay { from, to, only }) = &self.replay else {
            return false;
        };
        let last = if *only { Some(from) } else { to.as_ref() };
        last.is_some_and(|last| self.index(step) > self.index(last))
    }

    /// Whether the replay in force named this very step as its first.
    pub fn is_named_by_replay(&self, step: &StepId) -> bool {
        self.replay.as_ref().is_some_and(|replay| replay.from == *step)
    }

    fn step_mut(&mut self, step: &StepId) -> Result<&mut StepState, String> {
        self.steps
            .iter_mut()
            .find(|s| s.entry.id == *step)
            .ok_or_else(|| format!("no step {step} in the catalogue"))
    }

    fn progress_mut(&mut self, step: &StepId, item: Option<&ItemKey>) -> Result<&mut Progress, String> {
        let generation = self.generation;
        let state = self.step_mut(step)?;
        if state.generation != generation {
            return Err(format!("step {step} has not started in generation {generation}"));
        }
        match item {
            None => Ok(&mut state.progress),
            Some(_) if state.progress.status != Status::Running => Err(format!(
                "step {step} is {}, not running",
                state.progress.status.as_str()
            )),
            Some(item) => state
                .items
                .get_mut(item)
                .ok_or_else(|| format!("item {item} has not started")),
        }
    }
}
