//! A step that runs once for each item: as a whole it has succeeded when all of them have.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use crate::error::{ErrorClass, ErrorReport};
use crate::event::{Event, How};
use crate::flow::{Flow, Hand, stale};
use crate::halt::{Halt, summary};
use crate::ids::{ItemKey, StepId};
use crate::payload::Input;
use crate::progress::Status;
use crate::record::Recorder;
use crate::standing::{Awaited, Standing};
use crate::state::{Pass, RunState};
use crate::step::Step;
use crate::stop::Stop;

/// What the others do when an item of a fan-out fails for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    /// None begins any more.
    Stop,
    /// They have their turn.
    GoOn,
}

/// How items go together.
#[derive(Debug, Clone, Copy)]
struct Manner {
    others: Others,
    /// How many run at once.
    at_once: usize,
}

/// A step that runs once for each item.
struct FanOut<'a, S> {
    id: &'a StepId,
    items: &'a [(ItemKey, S)],
    manner: Manner,
}

impl<W: Send + Sync + 'static> Flow<W> {
    /// Runs a step once for each item, several at a time, each with an outcome of its own in the journal; outputs come
    /// back in the order of the items. Items that have an outcome are not run again.
    ///
    /// # Errors
    /// Why the flow has to end; see [`Halt`]. When an item fails for good, no other starts and those that run finish.
    pub async fn fan_out<S: Step<World = W>>(
        &self,
        step: StepId,
        items: impl IntoIterator<Item = (ItemKey, S)>,
    ) -> Result<Vec<(ItemKey, S::Output)>, Halt> {
        let items = items.into_iter().collect();
        self.halting(self.run_fan_out(&step, items, self.manner(Others::Stop)).await)
    }

    /// The same with so many at once at most, one at least, in the order of the items: each begins when one before it has succeeded. A
    /// request to stop is heard between two of them.
    ///
    /// # Errors
    /// As [`Flow::fan_out`].
    pub async fn fan_out_in_turn<S: Step<World = W>>(
        &self,
        step: StepId,
        at_once: usize,
        items: impl IntoIterator<Item = (ItemKey, S)>,
    ) -> Result<Vec<(ItemKey, S::Output)>, Halt> {
        let items = items.into_iter().collect();
        let manner = Manner {
            others: Others::Stop,
            at_once: at_once.max(1),
        };
        self.halting(self.run_fan_out(&step, items, manner).await)
    }

    /// The same where no item depends on another one, nor anything after them on all: when one fails for good, the others
    /// have their turn all the same, and so has what comes after them.
    ///
    /// # Errors
    /// Why the flow has to end, unless its function knows better; see [`Halt`].
    pub async fn fan_out_each<S: Step<World = W>>(
        &self,
        step: StepId,
        items: impl IntoIterator<Item = (ItemKey, S)>,
    ) -> Result<Vec<(ItemKey, S::Output)>, Halt> {
        self.may_start()?;
        let items = items.into_iter().collect();
        let result = self.apart();
        let result = result.run_fan_out(&step, items, self.manner(Others::GoOn)).await;
        match result {
            Err(failed @ Halt::Failed { .. }) => Err(failed),
            other => self.halting(other),
        }
    }

    fn manner(&self, others: Others) -> Manner {
        Manner {
            others,
            at_once: self.settings.fan_out.max(1),
        }
    }

    /// The same flow, where what fails is nobody else's concern.
    fn apart(&self) -> Self {
        Self {
            halted: Stop::default(),
            ..self.clone()
        }
    }

    async fn run_fan_out<S: Step<World = W>>(
        &self,
        id: &StepId,
        items: Vec<(ItemKey, S)>,
        manner: Manner,
    ) -> Result<Vec<(ItemKey, S::Output)>, Halt> {
        if let Some(why) = misfit(id, &items) {
            let (step, error) = (id.clone(), ErrorReport::new(ErrorClass::Permanent, why));
            return Err(Halt::Failed { step, error });
        }
        let list = Input::list(id, items.iter().map(|(key, _)| key).collect())?;
        let mut all = Vec::with_capacity(items.len());
        for (key, step) in &items {
            all.push(self.awaited(step, Some(key), Input::of(id, step)?));
        }
        let whole = self.inspect(|state| Standing::of(state, id, None, &list));
        let whole = match self.settings.accept_drift {
            true => whole.accepting(),
            false => whole,
        };
        match &self.hand {
            Hand::Looks(sight) => sight.see_all(id, whole, &all).await,
            Hand::Acts(recorder) => {
                let fan_out = FanOut {
                    id,
                    items: &items,
                    manner,
                };
                self.come_to_all(recorder, &fan_out, list, whole, all).await
            }
        }
    }

    async fn come_to_all<S: Step<World = W>>(
        &self,
        recorder: &Arc<Recorder>,
        fan_out: &FanOut<'_, S>,
        list: Input,
        whole: Standing,
        all: Vec<Awaited<'_, S>>,
    ) -> Result<Vec<(ItemKey, S::Output)>, Halt> {
        let FanOut { id, items, manner } = *fan_out;
        // What has drifted is found before any item starts.
        let drifts = all.iter().map(|awaited| &awaited.standing).chain([&whole]);
        let drifted = drifts.filter_map(|standing| match standing {
            Standing::Drifted { drift, .. } => Some(drift),
            _ => None,
        });
        if let Some(drift) = drifted.into_iter().next() {
            return Err(Halt::Drift(drift.clone()));
        }
        let runs = self.inspect(|state| state.pass(id) == Pass::Runs);
        let is_due = matches!(whole, Standing::Due { .. })
            || all
                .iter()
                .any(|awaited| matches!(awaited.standing, Standing::Due { .. }));
        if !(runs && is_due) {
            if whole == Standing::Ends {
                return Err(Halt::EndOfReplay);
            }
            if let Standing::Outdated { is_news: true, .. } = whole {
                let reason = "its items were replaced".to_owned();
                recorder.note(stale(id, None, reason))?;
            }
            let mut outputs = Vec::with_capacity(items.len());
            for ((key, _), awaited) in items.iter().zip(all) {
                outputs.push((key.clone(), self.come_to(recorder, awaited).await?));
            }
            return Ok(outputs);
        }

        self.may_start()?;
        for awaited in &all {
            if let Standing::Due {
                reopened: Some(reason),
                ..
            } = &awaited.standing
            {
                recorder.note(stale(id, awaited.item, reason.clone()))?;
            }
        }
        let status = |state: &RunState| state.step(id).map(|step| step.progress.status);
        match whole {
            Standing::Due {
                reopened: Some(reason),
                ..
            } => recorder.note(stale(id, None, reason))?,
            _ if self.inspect(status) == Some(Status::Succeeded) => {
                recorder.note(stale(id, None, "an item of it has to run".to_owned()))?;
            }
            _ => {}
        }
        let attempt = self.start(recorder, id, None, &list).await?;
        let results = self.run_items(items, manner).await;
        let total = results.len();
        let failed: Vec<_> = results
            .iter()
            .filter_map(|(key, r)| Some((key, self.told(id, key, r.as_ref().err()?))))
            .collect();
        if let Some(error) = summary(&failed, total) {
            self.fail(recorder, id, None, attempt, error.clone()).await?;
            let worst = results
                .into_iter()
                .filter_map(|(_, r)| r.err())
                .max_by_key(Halt::rank);
            return Err(match worst {
                Some(Halt::Failed { .. }) | None => Halt::Failed {
                    step: id.clone(),
                    error,
                },
                Some(other) => other,
            });
        }
        recorder.note(Event::StepSucceeded {
            step: id.clone(),
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

    /// How an item ended, in its own words: one whose next try was cut off, since another one had failed, has failed too.
    fn told(&self, id: &StepId, key: &ItemKey, halt: &Halt) -> Halt {
        let error = self.inspect(|state| {
            let progress = state.step(id)?.items.get(key)?;
            let has_failed = progress.status == Status::Failed && matches!(halt, Halt::Stopped);
            has_failed.then(|| progress.error.clone()).flatten()
        });
        let step = id.clone();
        error.map_or_else(|| halt.clone(), |error| Halt::Failed { step, error })
    }

    async fn run_items<S: Step<World = W>>(
        &self,
        items: &[(ItemKey, S)],
        manner: Manner,
    ) -> Vec<(ItemKey, Result<S::Output, Halt>)> {
        // All in this task: an item mostly waits for its node, and waking another thread costs as much as a commit.
        let mut results: Vec<_> = stream::iter(items.iter().enumerate())
            .map(|(index, (key, step))| async move {
                let result = match manner.others {
                    Others::Stop => self.halting(self.item(key, step).await),
                    Others::GoOn => self.apart().item(key, step).await,
                };
                (index, key.clone(), result)
            })
            .buffer_unordered(manner.at_once)
            .collect()
            .await;
        results.sort_by_key(|(index, ..)| *index);
        results
            .into_iter()
            .map(|(_, key, result)| (key, result))
            .collect()
    }

    async fn item<S: Step<World = W>>(&self, key: &ItemKey, step: &S) -> Result<S::Output, Halt> {
        let awaited = self.awaited(step, Some(key), Input::of(&step.id(), step)?);
        match &self.hand {
            Hand::Acts(recorder) => self.come_to(recorder, awaited).await,
            Hand::Looks(sight) => sight.see(step, Some(key), &awaited.standing).await,
        }
    }
}

/// Why these cannot be the items of that step.
fn misfit<S: Step>(id: &StepId, items: &[(ItemKey, S)]) -> Option<String> {
    let mut seen = BTreeSet::new();
    if let Some((twice, _)) = items.iter().find(|(key, _)| !seen.insert(key)) {
        return Some(format!("two of its items are named `{twice}`"));
    }
    let (key, other) = items.iter().find(|(_, step)| step.id() != *id)?;
    Some(format!("its item `{key}` is one of `{}`", other.id()))
}
