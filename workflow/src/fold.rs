//! The fold: a pure function from a run's events to its state, and the only place where state changes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::event::{EVENT_FORMAT, Event, Inherited, OLDEST_DRIVEN, Purpose, Recorded, Resource};
use crate::ids::{ClusterId, Driver, Epoch, Generation, ItemKey, Nonce, Seq, StepId};
use crate::pauses::Pauses;
use crate::progress::{Progress, Start, Status};
use crate::replay::Replay;
use crate::state::{Effect, IllegalTransition, Phase, RunState, StepState, Trace, Unanswered};

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
            workflow,
            cluster,
            cluster_id,
            provider,
            spec,
            tool_version,
            catalogue,
            nonce,
            over,
        } = &first.event
        else {
            return Err(illegal("a history begins with run_started"));
        };
        if first.seq != Seq::FIRST {
            return Err(illegal("a history begins with number 1"));
        }
        let steps = catalogue
            .iter()
            .map(|entry| StepState::pending(entry, first.generation));
        Ok(Self {
            run: first.run,
            format: first.format,
            workflow: workflow.clone(),
            cluster: cluster.clone(),
            cluster_id: cluster_id.unwrap_or(ClusterId::of_run(first.run)),
            provider: provider.clone(),
            spec: spec.clone(),
            tool_version: tool_version.clone(),
            phase: Phase::Running,
            generation: first.generation,
            epoch: first.epoch,
            replayed_by: first.epoch,
            seq: first.seq,
            started_at: first.at,
            finished_at: None,
            moved_at: first.at,
            pauses: Pauses::default(),
            replay: None,
            reshaped: None,
            lifted: false,
            steps: steps.collect(),
            dropped: Vec::new(),
            resources: Vec::new(),
            traces: Vec::new(),
            drivers: driver(first, *nonce)
                .into_iter()
                .chain(over.iter().copied())
                .collect(),
            effects: BTreeMap::new(),
            destroyed: false,
            was_up: false,
        })
    }

    /// The one transition function: the state after one more event. On an error the state is as it was.
    ///
    /// # Errors
    /// The event cannot follow the history so far.
    pub fn apply(&mut self, recorded: &Recorded) -> Result<(), IllegalTransition> {
        self.place(recorded)
            .and_then(|()| self.transition(recorded))
            .map_err(|why| IllegalTransition {
                seq: recorded.seq,
                kind: recorded.event.kind(),
                why,
            })?;
        self.seq = recorded.seq;
        self.moved_at = recorded.at;
        self.epoch = recorded.epoch;
        self.generation = recorded.generation;
        Ok(())
    }

    /// Refuses an event that stands in another place than the next.
    fn place(&self, recorded: &Recorded) -> Result<(), String> {
        let Recorded {
            run,
            seq,
            epoch,
            generation,
            format,
            event,
            ..
        } = recorded;
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
        let expected = match event {
            Event::ReplayRequested { .. } => self.generation.next(),
            _ => self.generation,
        };
        if *generation != expected {
            return Err(format!("generation {generation} where {expected} was expected"));
        }
        Ok(())
    }

    fn transition(&mut self, recorded: &Recorded) -> Result<(), String> {
        let (at, seq, generation) = (recorded.at, recorded.seq, recorded.generation);
        // What is about the whole run may come at any time, everything else only while it is driven.
        match &recorded.event {
            Event::RunStarted { .. } => return Err("the run has started already".into()),
            Event::RunAdopted {
                purpose, nonce, over, ..
            } => {
                self.adopted(recorded, *purpose)?;
                self.pauses.push(self.moved_at, at);
                self.effects.values_mut().for_each(|effect| effect.abandoned(at));
                self.drivers.extend(driver(recorded, *nonce));
                self.drivers.extend(over);
                return Ok(());
            }
            Event::ResourceDeleted { resource } => {
                self.resources.retain(|known| !known.is_same(resource));
                self.trace(resource, false, recorded.epoch);
                return Ok(());
            }
            Event::SpecAmended {
                field, value, steps, ..
            } => {
                self.amended(field, value, steps)?;
                // Whichever step gets another input by it runs again.
                if steps.is_empty() {
                    self.reshaped = Some(seq);
                }
                return Ok(());
            }
            Event::RunClosed { .. } if !self.phase.kind().is_unfinished() => {
                return Err("the run has ended".into());
            }
            Event::RunClosed { .. } => {
                for step in &mut self.steps {
                    step.items.values_mut().for_each(|item| item.cut_off(at));
                    step.progress.cut_off(at);
                }
                self.end(Phase::Closed, recorded);
                return Ok(());
            }
            // Who takes a run down settles what its drivers left open, however they ended.
            Event::EffectSettled { effect_key, .. } => {
                if !self.effects.contains_key(effect_key) {
                    return Err(format!("effect {effect_key} is not in doubt"));
                }
                if !self.destroyed && self.phase != Phase::Running {
                    return Err("the run has ended".into());
                }
                self.effects.remove(effect_key);
                return Ok(());
            }
            _ if self.phase != Phase::Running => return Err("the run has ended".into()),
            _ => {}
        }
        match &recorded.event {
            Event::RunStarted { .. }
            | Event::RunAdopted { .. }
            | Event::ResourceDeleted { .. }
            | Event::SpecAmended { .. }
            | Event::EffectSettled { .. }
            | Event::RunClosed { .. } => {}
            Event::StepStarted { .. } => self.started(recorded)?,
            Event::StepSucceeded {
                step,
                item,
                attempt,
                output,
                ..
            } => {
                let progress = self.progress_mut(step, item.as_ref())?;
                let replaced = progress.succeed((at, seq, recorded.epoch), *attempt, output)?;
                if let Some(key) = progress.effect_key.clone() {
                    self.effects.remove(&key);
                }
                if let (true, Some(item)) = (replaced, item) {
                    self.replaced(step, item);
                }
            }
            Event::StepFailed {
                step,
                item,
                attempt,
                error,
                retry_in_ms,
            } => {
                let progress = self.progress_mut(step, item.as_ref())?;
                progress.fail(at, *attempt, error, retry_in_ms.is_some())?;
                let key = progress.effect_key.clone();
                if let Some(effect) = key.and_then(|key| self.effects.get_mut(&key)) {
                    effect.failed(at, error.class);
                }
            }
            Event::StepSkipped { step, reason } => {
                self.must_be_due(step)?;
                let state = self.step_mut(step)?;
                if state.progress.status.is_valid() {
                    return Err(format!("it has its outcome: {}", state.progress.status.as_str()));
                }
                state.skipped = Some(reason.clone());
                state.progress.skip(at, generation);
                state.items.clear();
            }
            Event::StepStale {
                step,
                item,
                reason,
                left,
            } => {
                self.outdated(step, item.as_ref(), reason)?;
                self.step_mut(step)?.progress.left |= *left;
            }
            Event::ResourceCreated { resource, .. } => {
                if !self.resources.contains(resource) {
                    self.resources.push(resource.clone());
                }
                self.trace(resource, true, recorded.epoch);
            }
            Event::ReplayRequested {
                from,
                to,
                only,
                spec,
                inherited,
            } => {
                let replay = Replay {
                    from: from.clone(),
                    to: to.clone(),
                    only: *only,
                };
                // Refused before anything is changed.
                self.check_replay(&replay)
                    .map_err(|refused| refused.to_string())?;
                self.inherit(spec.as_ref(), inherited, recorded)?;
                self.replay_requested(replay, generation)?;
                self.replayed_by = recorded.epoch;
            }
            Event::CatalogueChanged {
                tool_version,
                catalogue,
                renamed,
                ..
            } => {
                self.catalogue_changed(catalogue, renamed)?;
                self.tool_version.clone_from(tool_version);
            }
            Event::RunInterrupted { reason } => self.end(Phase::Interrupted(reason.clone()), recorded),
            Event::RunFailed { error, .. } => self.end(Phase::Failed(error.clone()), recorded),
            Event::RunSucceeded => {
                self.must_be_done(recorded.format)?;
                self.was_up = true;
                self.end(Phase::Succeeded, recorded);
            }
            Event::RunPartial { open } => {
                if !open.iter().eq(self.open().map(|step| &step.entry.id)) || open.is_empty() {
                    return Err("other steps are open than it says".into());
                }
                self.must_be_through()?;
                self.was_up = true;
                self.end(Phase::Partial, recorded);
            }
        }
        Ok(())
    }

    fn adopted(&mut self, recorded: &Recorded, purpose: Purpose) -> Result<(), String> {
        if recorded.epoch == self.epoch {
            return Err("an adoption needs a new epoch".into());
        }
        match purpose {
            Purpose::Close => Ok(()),
            Purpose::Drive if self.destroyed => Err("the run was destroyed".into()),
            Purpose::Drive if recorded.format >= OLDEST_DRIVEN && self.format < OLDEST_DRIVEN => Err(
                format!("a run of format {} can be shown and destroyed only", self.format),
            ),
            Purpose::Drive => {
                // What a replay left undone is what a later driver does.
                self.lifted |= self.phase == Phase::Partial;
                self.phase = Phase::Running;
                self.finished_at = None;
                Ok(())
            }
            Purpose::Destroy => {
                self.destroyed = true;
                Ok(())
            }
        }
    }

    fn trace(&mut self, resource: &Resource, exists: bool, epoch: Epoch) {
        match self
            .traces
            .iter_mut()
            .find(|trace| trace.resource.is_same(resource))
        {
            Some(trace) => (trace.exists, trace.epoch) = (exists, epoch),
            None => self.traces.push(Trace {
                resource: resource.clone(),
                exists,
                epoch,
            }),
        }
    }

    fn started(&mut self, recorded: &Recorded) -> Result<(), String> {
        let Event::StepStarted {
            step,
            item,
            attempt,
            input,
            input_digest,
            effect_key,
        } = &recorded.event
        else {
            return Ok(());
        };
        self.must_be_due(step)?;
        let (_, expected) = self.next_try(step, item.as_ref());
        if recorded.format >= OLDEST_DRIVEN && *effect_key != expected {
            return Err(format!("its effect is called {effect_key}, not {expected}"));
        }
        let generation = recorded.generation;
        let state = self.step_mut(step)?;
        let start = Start {
            at: recorded.at,
            seq: recorded.seq,
            generation,
            asked: state.asked,
            attempt: *attempt,
            digest: input_digest,
            effect: effect_key,
        };
        match item {
            None => {
                state.progress.start(&start)?;
                state.skipped = None;
                // Items that are asked for no more go; the others keep what they have.
                if let Some(keys) = listed(input) {
                    state.items.retain(|key, _| keys.contains(&key.as_str()));
                }
            }
            Some(_)
                if state.progress.status != Status::Running || state.progress.generation != generation =>
            {
                return Err("its step has not started".into());
            }
            Some(item) => {
                let mut progress = state
                    .items
                    .get(item)
                    .cloned()
                    .unwrap_or_else(|| Progress::pending(generation));
                progress.start(&start)?;
                state.items.insert(item.clone(), progress);
            }
        }
        // A fan-out as a whole has no effect of its own.
        if item.is_some() || state.entry.fans_out_over.is_none() {
            let before = self.effects.get(effect_key).and_then(|effect| effect.unanswered);
            let effect = Effect {
                step: step.clone(),
                item: item.clone(),
                generation,
                attempt: *attempt,
                input_digest: input_digest.clone(),
                key: effect_key.clone(),
                unanswered: Some(Unanswered {
                    from: recorded.at,
                    until: None,
                    tries: before.map_or(0, |before: Unanswered| before.tries) + 1,
                }),
                before,
            };
            self.effects.insert(effect_key.clone(), effect);
        }
        Ok(())
    }

    /// What an item stands for was replaced: all that later steps did to it was done to something else.
    fn replaced(&mut self, step: &StepId, item: &ItemKey) {
        let Some(place) = self.index(step).filter(|at| self.steps[*at].entry.replaces) else {
            return;
        };
        let why = format!("{item} was replaced");
        for later in &mut self.steps[place + 1..] {
            if let Some(progress) = later.items.get_mut(item) {
                progress.outdate(&why);
                if later.progress.status == Status::Succeeded {
                    later.progress.outdate(&why);
                }
            }
        }
    }

    fn outdated(&mut self, step: &StepId, item: Option<&ItemKey>, reason: &str) -> Result<(), String> {
        let state = self.step_mut(step)?;
        if let Some(item) = item {
            let progress = state
                .items
                .get_mut(item)
                .ok_or_else(|| format!("item {item} never began"))?;
            progress.outdate(reason);
        }
        // A step that goes on does so with this item too.
        if item.is_none() || state.progress.status == Status::Succeeded {
            state.progress.outdate(reason);
        }
        Ok(())
    }

    fn replay_requested(&mut self, replay: Replay, generation: Generation) -> Result<(), String> {
        let asked = self
            .check_replay(&replay)
            .map_err(|refused| refused.to_string())?;
        let why = format!("a replay from `{}` was asked for", replay.from);
        let stale = match replay.only && !self.steps[*asked.start()].entry.undoes {
            true => asked.clone(),
            false => *asked.start()..=self.steps.len() - 1,
        };
        for step in &mut self.steps[asked] {
            step.asked = generation;
            step.named = step.entry.id.clone();
            step.meant = step.entry.id == replay.from;
        }
        for step in &mut self.steps[stale] {
            step.progress.outdate(&why);
            step.items.values_mut().for_each(|item| item.outdate(&why));
        }
        self.replay = Some(replay);
        self.lifted = false;
        Ok(())
    }

    /// What other runs of the cluster have done counts as if this one had.
    fn inherit(
        &mut self,
        spec: Option<&Value>,
        inherited: &[Inherited],
        recorded: &Recorded,
    ) -> Result<(), String> {
        if spec.is_none() && inherited.is_empty() {
            return Ok(());
        }
        let unknown = inherited.iter().find(|done| self.index(&done.step).is_none());
        if let Some(unknown) = unknown {
            return Err(format!("no step {} in the catalogue", unknown.step));
        }
        let generation = self.generation;
        for done in inherited {
            let state = self.step_mut(&done.step)?;
            let progress = match &done.item {
                None => &mut state.progress,
                Some(item) => state
                    .items
                    .entry(item.clone())
                    .or_insert_with(|| Progress::pending(generation)),
            };
            progress.inherit(done, recorded.at, recorded.epoch);
        }
        if let Some(spec) = spec {
            self.spec.clone_from(spec);
        }
        self.reshaped = Some(recorded.seq);
        Ok(())
    }

    fn end(&mut self, phase: Phase, recorded: &Recorded) {
        self.phase = phase;
        self.finished_at = Some(recorded.at);
    }

    fn must_be_due(&self, step: &StepId) -> Result<(), String> {
        use crate::state::Pass;
        if self.index(step).is_some() && self.pass(step) != Pass::Runs {
            return Err(format!("the replay in force does not run step {step}"));
        }
        Ok(())
    }

    /// Every step has a valid outcome. In format 1 those that the generation had to run were enough.
    fn must_be_done(&self, format: u16) -> Result<(), String> {
        if format < OLDEST_DRIVEN {
            return self.must_be_through();
        }
        self.open().next().map_or(Ok(()), |open| Err(open.is_open()))
    }

    /// Every step that the current pass had to run has a valid outcome.
    fn must_be_through(&self) -> Result<(), String> {
        use crate::state::Pass;
        let runs = |step: &&StepState| self.pass(&step.entry.id) == Pass::Runs && !step.progress.left;
        let mut open = self.open().filter(runs);
        open.next().map_or(Ok(()), |open| Err(open.is_open()))
    }

    fn step_mut(&mut self, step: &StepId) -> Result<&mut StepState, String> {
        self.steps
            .iter_mut()
            .find(|s| s.entry.id == *step)
            .ok_or_else(|| format!("no step {step} in the catalogue"))
    }

    /// The progress of what runs in this generation.
    fn progress_mut(&mut self, step: &StepId, item: Option<&ItemKey>) -> Result<&mut Progress, String> {
        let generation = self.generation;
        let state = self.step_mut(step)?;
        if state.progress.generation != generation {
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
                .filter(|progress| progress.generation == generation)
                .ok_or_else(|| format!("item {item} has not started")),
        }
    }
}

impl StepState {
    fn is_open(&self) -> String {
        format!("step {} is {}", self.entry.id, self.progress.status.as_str())
    }
}

/// Who wrote it, where that is told.
fn driver(recorded: &Recorded, nonce: Option<Nonce>) -> Option<Driver> {
    let epoch = recorded.epoch;
    nonce.map(|nonce| Driver { epoch, nonce })
}

/// The items that the input of a fan-out lists.
fn listed(input: &Value) -> Option<Vec<&str>> {
    let items = input.get("items")?.as_array()?;
    Some(items.iter().filter_map(Value::as_str).collect())
}
