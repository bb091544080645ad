//! What a step has made may be lost before the run's end: a machine ends by itself, or by somebody else's hand.

use std::time::Duration;

use futures_util::future::join_all;
use serde::de::DeserializeOwned;

use crate::event::Event;
use crate::flow::{Flow, Hand};
use crate::halt::Halt;
use crate::ids::{ItemKey, StepId};
use crate::payload::decode;
use crate::progress::{Progress, Status};
use crate::state::RunState;

/// What an item has made, by the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made<T> {
    /// The step.
    pub step: StepId,
    /// The item.
    pub item: ItemKey,
    /// What it gave.
    pub output: T,
    /// How long ago it did.
    pub age: Duration,
}

/// An item whose outcome does not count any more, since what it had made is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The item.
    pub item: ItemKey,
    /// How that is known.
    pub reason: String,
}

impl<W: Send + Sync + 'static> Flow<W> {
    /// Looks after what the items of these steps have made. Those of which `look` says how it was lost are stale: they run
    /// again, under another effect key, when a flow next comes to them; no other item does. To be called while no step of the
    /// flow acts. Where the flow only looks at its history, nothing is asked.
    ///
    /// # Errors
    /// The journal failed.
    pub async fn outdate_lost<T, F, Fut>(&self, steps: &[StepId], look: F) -> Result<Vec<Lost>, Halt>
    where
        T: DeserializeOwned,
        F: Fn(Made<T>) -> Fut,
        Fut: Future<Output = Option<String>>,
    {
        let Hand::Acts(recorder) = &self.hand else {
            return Ok(Vec::new());
        };
        let now = self.clock.now();
        let age = |item: &Progress| {
            let at = item.finished_at.unwrap_or(now);
            now.duration_since(at).unsigned_abs()
        };
        let made = recorder.inspect(|state| {
            let steps = steps.iter().filter_map(|id| state.step(id));
            let items = steps.flat_map(|step| {
                let valid = step
                    .items
                    .iter()
                    .filter(|(_, item)| item.status == Status::Succeeded);
                valid.filter_map(|(key, item)| {
                    Some(Made {
                        step: step.entry.id.clone(),
                        item: key.clone(),
                        output: decode::<T>(&step.entry.id, item.output.as_ref()?)?,
                        age: age(item),
                    })
                })
            });
            items.collect::<Vec<_>>()
        });
        let looks = made.into_iter().map(|made| {
            let (step, item) = (made.step.clone(), made.item.clone());
            let look = look(made);
            async move { Some((step, item, look.await?)) }
        });
        let mut all = Vec::new();
        for (step, item, reason) in join_all(looks).await.into_iter().flatten() {
            let stale = Event::StepStale {
                left: false,
                step,
                item: Some(item.clone()),
                reason: reason.clone(),
            };
            recorder.record(stale).await?;
            all.push(Lost { item, reason });
        }
        Ok(all)
    }

    /// Has an outcome count no more: a step's, or an item's of it. It runs again when a flow next comes to it. Whether there was one
    /// that counted; where the flow only looks at its history, nothing is written.
    ///
    /// # Errors
    /// The journal failed.
    pub async fn outdate(&self, step: &StepId, item: Option<&ItemKey>, reason: &str) -> Result<bool, Halt> {
        self.unsettle(step, item, reason, false).await
    }

    /// Has a step, or an item of it, be left undone: nobody can see to it now, and the run ends as `partial` without it.
    ///
    /// # Errors
    /// The journal failed.
    pub async fn leave(&self, step: &StepId, item: Option<&ItemKey>, reason: &str) -> Result<(), Halt> {
        self.unsettle(step, item, reason, true).await.map(drop)
    }

    async fn unsettle(
        &self,
        step: &StepId,
        item: Option<&ItemKey>,
        reason: &str,
        left: bool,
    ) -> Result<bool, Halt> {
        let Hand::Acts(recorder) = &self.hand else {
            return Ok(false);
        };
        let counts = |state: &RunState| {
            let progress = state.step(step)?.of(item)?;
            Some(progress.status == Status::Succeeded)
        };
        if recorder.inspect(counts) != Some(true) {
            return Ok(false);
        }
        let stale = Event::StepStale {
            step: step.clone(),
            item: item.cloned(),
            reason: reason.to_owned(),
            left,
        };
        recorder.record(stale).await?;
        Ok(true)
    }

    /// What a step gave, if that counts; nothing where the flow only looks at its history.
    pub fn outcome<T: DeserializeOwned>(&self, step: &StepId) -> Option<T> {
        let Hand::Acts(recorder) = &self.hand else {
            return None;
        };
        recorder.inspect(|state| {
            let progress = &state.step(step)?.progress;
            let output = progress.output.as_ref()?;
            (progress.status == Status::Succeeded).then(|| decode(step, output))?
        })
    }

    /// Whether a replay is under way whose bounds hold, asked for by this very driver: who resumes one goes on with the run.
    pub fn is_new_replay(&self) -> bool {
        self.inspect(|state| state.replay.is_some() && !state.lifted && state.replayed_by == state.epoch)
    }
}
