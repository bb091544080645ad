//! The flow context: what a workflow awaits its steps through.
//!
//! A workflow's function is driven in two ways. Either its steps act and their outcomes are recorded, or nothing acts and the
//! history is only held against what this program would do (`preflight`).

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::event::Event;
use crate::halt::{Accepted, Halt};
use crate::ids::{ItemKey, StepId};
use crate::payload::{Input, decode};
use crate::progress::Status;
use crate::record::Recorder;
use crate::sight::Sight;
use crate::standing::{Awaited, Standing};
use crate::state::{Pass, RunState};
use crate::step::Step;
use crate::stop::Stop;

/// Bounds of a whole flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many items of one fan-out run at once.
    pub fan_out: usize,
    /// How long running steps may go on after a request to stop.
    pub grace: Duration,
    /// Whether to go on although the history does not fit what this program would do; see [`Accepted`].
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
    pub(crate) world: Arc<W>,
    pub(crate) hand: Hand,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stop: Stop,
    pub(crate) settings: Settings,
    /// Some branch cannot go on: what runs may finish, nothing new starts.
    pub(crate) halted: Stop,
}

/// What a flow does with its steps.
#[derive(Clone)]
pub(crate) enum Hand {
    /// It runs them.
    Acts(Arc<Recorder>),
    /// It looks at what the history says of them.
    Looks(Arc<Sight>),
}

impl<W> Clone for Flow<W> {
    fn clone(&self) -> Self {
        Self {
            world: self.world.clone(),
            hand: self.hand.clone(),
            clock: self.clock.clone(),
            stop: self.stop.clone(),
            settings: self.settings,
            halted: self.halted.clone(),
        }
    }
}

impl<W: Send + Sync + 'static> Flow<W> {
    pub(crate) fn new(
        world: Arc<W>,
        hand: Hand,
        clock: Arc<dyn Clock>,
        stop: Stop,
        settings: Settings,
    ) -> Self {
        Self {
            world,
            hand,
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

    /// Records that a step does not apply to this cluster.
    ///
    /// # Errors
    /// The step has run in this generation, or the journal failed.
    pub async fn skip(&self, step: StepId, reason: &str) -> Result<(), Halt> {
        self.halting(self.run_skip(step, reason).await)
    }

    /// Lets nothing new start in other branches once one of them cannot go on. The end of a replay is no such case:
    /// each branch comes to it by itself.
    pub(crate) fn halting<T>(&self, result: Result<T, Halt>) -> Result<T, Halt> {
        if result
            .as_ref()
            .is_err_and(|halt| !matches!(halt, Halt::EndOfReplay))
        {
            self.halted.request();
        }
        result
    }

    /// Looks at the state now.
    pub(crate) fn inspect<T>(&self, look: impl FnOnce(&RunState) -> T) -> T {
        match &self.hand {
            Hand::Acts(recorder) => recorder.inspect(look),
            Hand::Looks(sight) => look(&sight.state),
        }
    }

    async fn run_step<S: Step<World = W>>(&self, step: &S) -> Result<S::Output, Halt> {
        let awaited = self.awaited(step, None, Input::of(&step.id(), step)?);
        match &self.hand {
            Hand::Acts(recorder) => self.come_to(recorder, awaited).await,
            Hand::Looks(sight) => sight.see(step, None, &awaited.standing).await,
        }
    }

    pub(crate) fn awaited<'a, S: Step<World = W>>(
        &self,
        step: &'a S,
        item: Option<&'a ItemKey>,
        input: Input,
    ) -> Awaited<'a, S> {
        let id = step.id();
        let standing = self.inspect(|state| Standing::of(state, &id, item, &input));
        let standing = match self.settings.accept_drift {
            true => standing.accepting(),
            false => standing,
        };
        // An output of another version is no outcome: the step is asked again, and its probe tells what is there.
        let standing = match standing {
            Standing::Settled(output) if item.is_some() || !input.is_list => {
                let runs = self.inspect(|state| state.pass(&id) == Pass::Runs);
                match decode::<S::Output>(&id, &output) {
                    None if runs => Standing::Due {
                        before: None,
                        reopened: Some("its recorded output is another version's".to_owned()),
                    },
                    _ => Standing::Settled(output),
                }
            }
            other => other,
        };
        Awaited {
            step,
            item,
            input,
            standing,
        }
    }

    /// The output of a step or item that the flow has come to.
    pub(crate) async fn come_to<S: Step<World = W>>(
        &self,
        recorder: &Arc<Recorder>,
        awaited: Awaited<'_, S>,
    ) -> Result<S::Output, Halt> {
        let Awaited {
            step,
            item,
            input,
            standing,
        } = awaited;
        let id = &step.id();
        match standing {
            Standing::Settled(output) => decode(id, &output).ok_or_else(|| undecodable(id)),
            Standing::Due { reopened, .. } => {
                // Nothing is written where nothing may start.
                self.may_start()?;
                if let Some(reason) = reopened {
                    recorder.note(stale(id, item, reason))?;
                }
                self.execute(recorder, step, item, input).await
            }
            Standing::Outdated { before, is_news } => {
                if is_news {
                    let reason = "what it was made from was replaced".to_owned();
                    recorder.note(stale(id, item, reason))?;
                }
                let before = decode(id, &before).ok_or_else(|| undecodable(id))?;
                Ok(step.forecast(before))
            }
            Standing::Ends => Err(Halt::EndOfReplay),
            Standing::Drifted { drift, .. } => Err(Halt::Drift(drift)),
        }
    }

    async fn run_skip(&self, step: StepId, reason: &str) -> Result<(), Halt> {
        let Some((status, pass)) = self.inspect(|state| {
            let found = state.step(&step)?;
            Some((found.progress.status, state.pass(&step)))
        }) else {
            return Err(Halt::Drift(crate::halt::Drift {
                step,
                why: "the run's catalogue does not have it".to_owned(),
                accepted: None,
            }));
        };
        let is_kept = pass != Pass::Runs || status == Status::Skipped;
        let has_run = !is_kept && !matches!(status, Status::Pending | Status::Stale);
        let drift = crate::halt::Drift {
            step: step.clone(),
            why: "it has run, and this program would skip it".to_owned(),
            accepted: Some(Accepted::RunsAgain),
        };
        let recorder = match &self.hand {
            _ if pass == Pass::EndsBefore => return Err(Halt::EndOfReplay),
            Hand::Acts(_) if is_kept => return Ok(()),
            Hand::Acts(_) if has_run && !self.settings.accept_drift => return Err(Halt::Drift(drift)),
            Hand::Acts(recorder) => recorder,
            Hand::Looks(sight) => {
                let told = has_run && !self.settings.accept_drift;
                sight.see_skip(&step, told.then_some(drift));
                return Ok(());
            }
        };
        self.may_start()?;
        if has_run {
            recorder.note(stale(&step, None, format!("{}; accepted", drift.why)))?;
        }
        Ok(recorder.note(Event::StepSkipped {
            step,
            reason: reason.to_owned(),
        })?)
    }

    pub(crate) fn may_start(&self) -> Result<(), Halt> {
        if self.stop.is_requested() || self.halted.is_requested() {
            return Err(Halt::Stopped);
        }
        Ok(())
    }
}

pub(crate) fn stale(step: &StepId, item: Option<&ItemKey>, reason: String) -> Event {
    Event::StepStale {
        step: step.clone(),
        item: item.cloned(),
        reason,
        left: false,
    }
}

fn undecodable(step: &StepId) -> Halt {
    Halt::Drift(crate::halt::Drift {
        step: step.clone(),
        why: "its recorded output does not fit this program".to_owned(),
        accepted: None,
    })
}
