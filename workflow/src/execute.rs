//! The tries of a step or item: started in the journal, probed, applied, verified, and tried again as its error says.

use std::sync::Arc;

use tracing::Instrument as _;

use crate::error::{ErrorClass, ErrorReport};
use crate::event::{Event, How};
use crate::flow::Flow;
use crate::halt::Halt;
use crate::ids::{Attempt, EffectKey, ItemKey, StepId};
use crate::payload::{Input, with_json};
use crate::record::Recorder;
use crate::step::{Probe, Step, StepCx};

impl<W: Send + Sync + 'static> Flow<W> {
    pub(crate) async fn start(
        &self,
        recorder: &Recorder,
        step: &StepId,
        item: Option<&ItemKey>,
        input: &Input,
    ) -> Result<Attempt, Halt> {
        let mut started = Attempt::FIRST;
        recorder
            .record_with(|state| {
                let (attempt, effect_key) = state.next_try(step, item);
                started = attempt;
                Event::StepStarted {
                    step: step.clone(),
                    item: item.cloned(),
                    attempt,
                    input: input.value.clone(),
                    input_digest: input.digest.clone(),
                    effect_key,
                }
            })
            .await?;
        Ok(started)
    }

    pub(crate) async fn fail(
        &self,
        recorder: &Recorder,
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
        Ok(recorder.record(failed).await?)
    }

    /// Tries until it succeeds or must not be tried again.
    pub(crate) async fn execute<S: Step<World = W>>(
        &self,
        recorder: &Arc<Recorder>,
        step: &S,
        item: Option<&ItemKey>,
        input: Input,
    ) -> Result<S::Output, Halt> {
        let id = &step.id();
        let mut delays = step.limits().retry.delays();
        self.may_start()?;
        loop {
            let attempt = self.start(recorder, id, item, &input).await?;
            let tried = self.attempt(recorder, step, item, attempt).await;
            let error = match tried.and_then(with_json) {
                Ok((output, value, how)) => {
                    recorder.note(Event::StepSucceeded {
                        step: id.clone(),
                        item: item.cloned(),
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
                self.fail(recorder, id, item, attempt, error.clone()).await?;
                may_retry?;
                return Err(if stopped {
                    Halt::Stopped
                } else {
                    Halt::Failed {
                        step: id.clone(),
                        error,
                    }
                });
            };
            let retry_in_ms = Some(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
            let (key, reason) = (item.cloned(), error.clone());
            recorder
                .record(Event::StepFailed {
                    step: id.clone(),
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
                self.fail(recorder, id, item, attempt, reason).await?;
                return Err(stopped);
            }
        }
    }

    /// One attempt, within the deadline: what is in doubt of earlier ones is settled, then it is probed, and if there is
    /// something to do, applied and verified.
    async fn attempt<S: Step<World = W>>(
        &self,
        recorder: &Arc<Recorder>,
        step: &S,
        item: Option<&ItemKey>,
        attempt: Attempt,
    ) -> Result<(S::Output, How), ErrorReport> {
        let cx = self.cx(recorder, step.id(), item, attempt);
        let work = async {
            self.settle(recorder, step, item, &cx).await?;
            let found = step.probe(&cx).await.map_err(|error| ErrorReport::of(&error))?;
            if let Probe::Done(output) = found {
                return Ok((output, How::Found));
            }
            let output = step.apply(&cx).await.map_err(|error| ErrorReport::of(&error))?;
            let verified = step.verify(&cx, &output).await;
            verified.map_err(|error| ErrorReport::of(&error))?;
            Ok((output, How::Applied))
        };
        let span = match item {
            Some(item) => tracing::info_span!("attempt", step = %cx.step, %item, %attempt),
            None => tracing::info_span!("attempt", step = %cx.step, %attempt),
        };
        let work = work.instrument(span);
        let deadline = step.limits().deadline;
        let grace_over = async {
            self.stop.requested().await;
            self.clock
                .sleep(step.grace().unwrap_or(self.settings.grace))
                .await;
        };
        tokio::select! {
            // What ends in its last moment has ended in time.
            biased;
            result = work => result,
            () = self.clock.sleep(deadline) => Err(ErrorReport::new(
                ErrorClass::Ambiguous,
                format!("no end after {} s", deadline.as_secs()),
            )),
            () = grace_over => Err(ErrorReport::new(ErrorClass::Ambiguous, "interrupted before its end")),
        }
    }

    fn cx(
        &self,
        recorder: &Arc<Recorder>,
        id: StepId,
        item: Option<&ItemKey>,
        attempt: Attempt,
    ) -> StepCx<W> {
        recorder.inspect(|state| {
            let found = state.step(&id);
            let progress = found.and_then(|found| found.of(item));
            let generation = progress.map_or(state.generation, |progress| progress.asked);
            let round = progress.map_or(0, |progress| progress.round);
            let is_asked = progress.is_none_or(|progress| !progress.is_answered());
            StepCx {
                world: self.world.clone(),
                recorder: recorder.clone(),
                run: state.run,
                generation,
                round,
                item: item.cloned(),
                attempt,
                effect_key: progress
                    .and_then(|progress| progress.effect_key.clone())
                    .unwrap_or_else(|| EffectKey::derive(state.run, generation, &id, item, round)),
                input_digest: progress.and_then(|p| p.input_digest.clone()).unwrap_or_default(),
                former: progress.and_then(|progress| progress.output.clone()),
                was_up: state.was_up,
                is_asked,
                named_by_replay: is_asked && state.is_named_by_replay(&id),
                step: id,
            }
        })
    }

    /// Settles the effects in doubt of earlier generations and rounds.
    async fn settle<S: Step<World = W>>(
        &self,
        recorder: &Recorder,
        step: &S,
        item: Option<&ItemKey>,
        cx: &StepCx<W>,
    ) -> Result<(), ErrorReport> {
        for effect in recorder.inspect(|state| state.doubts(&cx.step, item, &cx.effect_key)) {
            let settled = step.settle(cx, &effect).await;
            let settled = settled.map_err(|error| ErrorReport::of(&error))?;
            let event = Event::EffectSettled {
                step: cx.step.clone(),
                item: item.cloned(),
                effect_key: effect.key,
                settled,
            };
            let recorded = recorder.record(event).await;
            recorded.map_err(|error| ErrorReport::of(&error))?;
        }
        Ok(())
    }
}
