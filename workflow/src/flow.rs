//! The flow context: what `deploy` awaits its steps through.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tracing::Instrument as _;

use crate::clock::Clock;
use crate::error::{ErrorClass, ErrorReport};
use crate::event::{Event, How};
use crate::halt::{Halt, summary};
use crate::ids::{Attempt, EffectKey, ItemKey, StepId};
use crate::payload::{Input, Items, decode, with_json};
use crate::progress::{Progress, Status};
use crate::record::Recorder;
use crate::state::RunState;
use crate::step::{Probe, Step, StepCx};
use crate::stop::Stop;

/// Bounds of a whole flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many items of one fan-out run at once.
    pub fan_out: usize,
    /// How long running steps may go on after a request to stop.
    pub grace: Duration,
    /// Whether a recorded outcome counts although this program computes another input for its step.
    pub accept_drift: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            fan_out: 32,
            grace: Duration::from_secs(8),
            accept_drift: false,
        }
    }
}

/// The way of a flow to its steps: each is run, or its recorded outcome returned. Clones share one run.
pub struct Flow<W> {
    world: Arc<W>,
    recorder: Arc<Recorder>,
    clock: Arc<dyn Clock>,
    stop: Stop,
    settings: Settings,
    /// Some branch cannot go on: what runs may finish, nothing new starts.
    halted: Stop,
}

impl<W> Clone for Flow<W> {
    fn clone(&self) -> Self {
        Self {
            world: self.world.clone(),
            recorder: self.recorder.clone(),
            clock: self.clock.clone(),
            stop: self.stop.clone(),
            settings: self.settings,
            halted: self.halted.clone(),
        }
    }
}

/// What the history says of a step about to be awaited.
enum Standing {
    /// It has an outcome: its output.
    Settled(Value),
    /// It has to run.
    Due,
}

impl<W: Send + Sync + 'static> Flow<W> {
    pub(crate) fn new(
        world: Arc<W>,
        recorder: Arc<Recorder>,
        clock: Arc<dyn Clock>,
        stop: Stop,
        settings: Settings,
    ) -> Self {
        Self {
            world,
            recorder,
            clock,
            stop,
            settings,
            halted: Stop::default(),
        }
    }

    /// What all steps may touch.
    pub fn world(&self) -> &W {
        &self.world
    }

    /// Runs `step`, or returns its recorded output.
    ///
    /// # Errors
    /// Why the flow has to end; see [`Halt`].
    pub async fn step<S: Step<World = W>>(&self, step: S) -> Result<S::Output, Halt> {
        self.halting(self.run_step(&step).await)
    }

    /// Runs a step once for each item, several at a time, each with an outcome of its own in the journal; outputs come
    /// back in the order of the items. Items that have an outcome are not run again.
    ///
    /// # Errors
    /// Why the flow has to end; see [`Halt`]. When an item fails for good, no other starts and those that run finish.
    pub async fn fan_out<S: Step<World = W>>(
        &self,
        items: impl IntoIterator<Item = (ItemKey, S)>,
    ) -> Result<Vec<(ItemKey, S::Output)>, Halt> {
        self.halting(self.run_fan_out(items.into_iter().collect()).await)
    }

    /// Records that a step does not apply to this cluster.
    ///
    /// # Errors
    /// The step has run in this generation, or the journal failed.
    pub async fn skip(&self, step: StepId, reason: &str) -> Result<(), Halt> {
        self.halting(self.run_skip(step, reason))
    }

    /// Lets nothing new start in other branches once one of them cannot go on. The end of a replay is no such case:
    /// each branch comes to it by itself.
    fn halting<T>(&self, result: Result<T, Halt>) -> Result<T, Halt> {
        if result
            .as_ref()
            .is_err_and(|halt| !matches!(halt, Halt::EndOfReplay))
        {
            self.halted.request();
        }
        result
    }

    async fn run_step<S: Step<World = W>>(&self, step: &S) -> Result<S::Output, Halt> {
        let input = Input::of(&S::ID, step)?;
        match self.standing(&S::ID, None, &input)? {
            Standing::Settled(output) => decode(&S::ID, output),
            Standing::Due => self.execute(step, None, input).await,
        }
    }

    async fn run_fan_out<S: Step<World = W>>(
        &self,
        items: Vec<(ItemKey, S)>,
    ) -> Result<Vec<(ItemKey, S::Output)>, Halt> {
        let keys: Vec<_> = items.iter().map(|(key, _)| key).collect();
        let mut seen = BTreeSet::new();
        if let Some(twice) = keys.iter().find(|key| !seen.insert(**key)) {
            let error = ErrorReport::new(
                ErrorClass::Permanent,
                format!("two of its items are named `{twice}`"),
            );
            return Err(Halt::Failed { step: S::ID, error });
        }
        let keys = Input::of(&S::ID, &Items { items: keys })?;
        let whole = self.standing(&S::ID, None, &keys)?;
        // An item that has drifted is found before any other starts.
        for (key, step) in &items {
            self.standing(&S::ID, Some(key), &Input::of(&S::ID, step)?)?;
        }
        let attempt = match whole {
            Standing::Settled(_) => None,
            Standing::Due => {
                self.may_start()?;
                Some(self.start(&S::ID, None, &keys).await?)
            }
        };
        let results = self.run_items(items).await;
        let Some(attempt) = attempt else {
            return results
                .into_iter()
                .map(|(key, result)| Ok((key, result?)))
                .collect();
        };

        let total = results.len();
        let failed: Vec<_> = results
            .iter()
            .filter_map(|(key, r)| Some((key, r.as_ref().err()?)))
            .collect();
        if let Some(error) = summary(&failed, total) {
            self.fail(&S::ID, None, attempt, error.clone()).await?;
            let worst = results
                .into_iter()
                .filter_map(|(_, r)| r.err())
                .max_by_key(Halt::rank);
            return Err(match worst {
                Some(Halt::Failed { .. }) | None => Halt::Failed { step: S::ID, error },
                Some(other) => other,
            });
        }
        self.recorder.note(Event::StepSucceeded {
            step: S::ID,
            item: None,
            attempt,
            output: Value::Null,
            how: How::Items,
        })?;
        results
            .into_iter()
            .map(|(key, result)| Ok((key, result?)))
            .collect()
    }

    fn run_skip(&self, step: StepId, reason: &str) -> Result<(), Halt> {
        let known = self.recorder.inspect(|state| {
            let found = state.step(&step)?;
            let kept = found.progress.status == Status::Stale && found.reason.is_some();
            Some((
                found.progress.status,
                kept,
                state.is_in_range(&step),
                state.is_past_range(&step),
            ))
        });
        match known {
            None => Err(drift(&step, "the run's catalogue does not have it")),
            Some((.., true)) => Err(Halt::EndOfReplay),
            Some((Status::Skipped, ..)) => Ok(()),
            Some((Status::Succeeded, ..)) => Err(drift(&step, "it has run, and this program would skip it")),
            Some((_, _, true, _)) => {
                self.may_start()?;
                Ok(self.recorder.note(Event::StepSkipped {
                    step,
                    reason: reason.to_owned(),
                })?)
            }
            Some((_, true, ..)) => Ok(()),
            Some(_) => Err(drift(&step, "it has run, and this program would skip it")),
        }
    }

    async fn run_items<S: Step<World = W>>(
        &self,
        items: Vec<(ItemKey, S)>,
    ) -> Vec<(ItemKey, Result<S::Output, Halt>)> {
        // All in this task: an item mostly waits for its node, and waking another thread costs as much as a commit.
        let mut results: Vec<_> = stream::iter(items.into_iter().enumerate())
            .map(|(index, (key, step))| async move {
                let result = self.halting(self.item(&key, &step).await);
                (index, key, result)
            })
            .buffer_unordered(self.settings.fan_out.max(1))
            .collect()
            .await;
        results.sort_by_key(|(index, ..)| *index);
        results
            .into_iter()
            .map(|(_, key, result)| (key, result))
            .collect()
    }

    async fn item<S: Step<World = W>>(&self, key: &ItemKey, step: &S) -> Result<S::Output, Halt> {
        let input = Input::of(&S::ID, step)?;
        match self.standing(&S::ID, Some(key), &input)? {
            Standing::Settled(output) => decode(&S::ID, output),
            Standing::Due => self.execute(step, Some(key), input).await,
        }
    }

    /// Whether a step or an item of it has an outcome, or has to run in this generation.
    fn standing(&self, step: &StepId, item: Option<&ItemKey>, input: &Input) -> Result<Standing, Halt> {
        let known = self.recorder.inspect(|state| {
            let found = state.step(step)?;
            let (whole, due) = (found.progress.status, state.is_in_range(step));
            let progress = match item {
                None => Some(found.progress.clone()),
                // The items of an earlier generation go with their step.
                Some(_) if due && whole == Status::Stale => None,
                Some(item) => found.items.get(item).cloned(),
            };
            Some((whole, progress, due, state.is_past_range(step)))
        });
        let Some((whole, progress, due, past)) = known else {
            return Err(drift(step, "the run's catalogue does not have it"));
        };
        if past {
            return Err(Halt::EndOfReplay);
        }
        match progress {
            Some(p) if p.status == Status::Succeeded => self.reuse(step, &p, input),
            Some(p) if p.status == Status::Stale && !due && p.output.is_some() => self.reuse(step, &p, input),
            Some(p) if p.status == Status::Skipped || (p.status == Status::Stale && !due) => {
                Err(drift(step, "it was skipped, and this program would run it"))
            }
            None if whole == Status::Succeeded || !due => Err(drift(step, "it has other items than before")),
            _ => Ok(Standing::Due),
        }
    }

    fn reuse(&self, step: &StepId, progress: &Progress, input: &Input) -> Result<Standing, Halt> {
        if progress.input_digest.as_deref() != Some(&input.digest) {
            let drift = drift(step, "this program computes another input for it");
            if !self.settings.accept_drift {
                return Err(drift);
            }
            tracing::warn!(%drift, "accepted");
        }
        Ok(Standing::Settled(progress.output.clone().unwrap_or(Value::Null)))
    }

    fn may_start(&self) -> Result<(), Halt> {
        if self.stop.is_requested() || self.halted.is_requested() {
            return Err(Halt::Stopped);
        }
        Ok(())
    }

    async fn start(&self, step: &StepId, item: Option<&ItemKey>, input: &Input) -> Result<Attempt, Halt> {
        let mut started = Attempt::FIRST;
        self.recorder
            .record_with(|state| {
                started = Attempt(attempts_so_far(state, step, item) + 1);
                Event::StepStarted {
                    step: step.clone(),
                    item: item.cloned(),
                    attempt: started,
                    input: input.value.clone(),
                    input_digest: input.digest.clone(),
                    effect_key: EffectKey::derive(state.run, state.generation, step, item, 0),
                }
            })
            .await?;
        Ok(started)
    }

    async fn fail(
        &self,
        step: &StepId,
        item: Option<&ItemKey>,
        attempt: Attempt,
        error: ErrorReport,
    ) -> Result<(), Halt> {
        self.halted.request();
        let failed = Event::StepFailed {
            step: step.clone(),
            item: item.cloned(),
            attempt,
            error,
            retry_in_ms: None,
        };
        Ok(self.recorder.record(failed).await?)
    }

    /// Tries until it succeeds or must not be tried again.
    async fn execute<S: Step<World = W>>(
        &self,
        step: &S,
        item: Option<&ItemKey>,
        input: Input,
    ) -> Result<S::Output, Halt> {
        let mut delays = step.limits().retry.delays();
        self.may_start()?;
        loop {
            let attempt = self.start(&S::ID, item, &input).await?;
            let error = match self.attempt(step, item, attempt).await.and_then(with_json) {
                Ok((output, value, how)) => {
                    let (id, item) = (S::ID, item.cloned());
                    self.recorder.note(Event::StepSucceeded {
                        step: id,
                        item,
                        attempt,
                        output: value,
                        how,
                    })?;
                    return Ok(output);
                }
                Err(error) => error,
            };
            let may_retry = if error.class.is_retryable() {
                self.may_start()
            } else {
                Ok(())
            };
            let again = error.class.is_retryable() && may_retry.is_ok();
            let Some(delay) = again.then(|| delays.next()).flatten() else {
                let stopped = self.stop.is_requested();
                self.fail(&S::ID, item, attempt, error.clone()).await?;
                may_retry?;
                return Err(if stopped {
                    Halt::Stopped
                } else {
                    Halt::Failed { step: S::ID, error }
                });
            };
            let retry_in_ms = Some(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
            let (id, key, reason) = (S::ID, item.cloned(), error.clone());
            self.recorder
                .record(Event::StepFailed {
                    step: id,
                    item: key,
                    attempt,
                    error,
                    retry_in_ms,
                })
                .await?;
            tokio::select! {
                () = self.clock.sleep(delay) => {}
                () = self.stop.requested() => {}
                () = self.halted.requested() => {}
            }
            if let Err(stopped) = self.may_start() {
                // The announced try will not come: the failure before it was the last.
                self.fail(&S::ID, item, attempt, reason).await?;
                return Err(stopped);
            }
        }
    }

    /// One attempt: probe, and if there is something to do, apply and verify, within the deadline.
    async fn attempt<S: Step<World = W>>(
        &self,
        step: &S,
        item: Option<&ItemKey>,
        attempt: Attempt,
    ) -> Result<(S::Output, How), ErrorReport> {
        let cx = self.recorder.inspect(|state| StepCx {
            world: self.world.clone(),
            recorder: self.recorder.clone(),
            run: state.run,
            generation: state.generation,
            step: S::ID,
            item: item.cloned(),
            attempt,
            effect_key: EffectKey::derive(state.run, state.generation, &S::ID, item, 0),
            named_by_replay: state.is_named_by_replay(&S::ID),
        });
        let work = async {
            if let Probe::Done(output) = step.probe(&cx).await? {
                return Ok((output, How::Found));
            }
            let output = step.apply(&cx).await?;
            step.verify(&cx, &output).await?;
            Ok((output, How::Applied))
        };
        let span = match item {
            Some(item) => tracing::info_span!("attempt", step = %S::ID, %item, %attempt),
            None => tracing::info_span!("attempt", step = %S::ID, %attempt),
        };
        let work = work.instrument(span);
        let deadline = step.limits().deadline;
        let grace_over = async {
            self.stop.requested().await;
            self.clock.sleep(self.settings.grace).await;
        };
        tokio::select! {
            // What ends in its last moment has ended in time.
            biased;
            result = work => result.map_err(|error: S::Error| ErrorReport::of(&error)),
            () = self.clock.sleep(deadline) => Err(ErrorReport::new(
                ErrorClass::Ambiguous,
                format!("no end after {} s", deadline.as_secs()),
            )),
            () = grace_over => Err(ErrorReport::new(ErrorClass::Ambiguous, "interrupted before its end")),
        }
    }
}

fn drift(step: &StepId, why: &str) -> Halt {
    Halt::Drift {
        step: step.clone(),
        why: why.to_owned(),
    }
}

fn attempts_so_far(state: &RunState, step: &StepId, item: Option<&ItemKey>) -> u32 {
    let Some(found) = state.step(step) else { return 0 };
    if found.generation != state.generation || found.progress.status == Status::Stale {
        return 0;
    }
    match item {
        None => found.progress.attempts,
        Some(item) => found.items.get(item).map_or(0, |progress| progress.attempts),
    }
}
