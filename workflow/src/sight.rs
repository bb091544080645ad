//! What a look over a workflow sees: each step as the history has it, which gives what it gave before.

use std::sync::{Mutex, PoisonError};

use crate::halt::{Drift, Halt};
use crate::ids::{ItemKey, StepId};
use crate::payload::decode;
use crate::standing::{Awaited, Standing};
use crate::state::RunState;
use crate::step::Step;

/// What a look over a workflow has found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preflight {
    /// Where the history does not fit, in catalogue order.
    pub drifts: Vec<Drift>,
    /// What would run: steps and items, in the order in which the workflow comes to them.
    pub due: Vec<(StepId, Option<ItemKey>)>,
    /// The steps that the look came to.
    pub reached: Vec<StepId>,
}

/// The state that a look is held against, and what it has found so far.
pub(crate) struct Sight {
    pub(crate) state: RunState,
    found: Mutex<Preflight>,
}

impl Sight {
    /// A look that has found nothing yet.
    pub(crate) fn over(state: RunState) -> Self {
        Self {
            state,
            found: Mutex::default(),
        }
    }

    /// What it has found; nothing is left of that.
    pub(crate) fn found(&self) -> Preflight {
        let mut found = std::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner));
        found.drifts.sort_by_key(|drift| self.state.index(&drift.step));
        found
    }

    pub(crate) fn note(&self, note: impl FnOnce(&mut Preflight)) {
        note(&mut self.found.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn reach(&self, id: StepId) {
        self.note(|found| {
            if !found.reached.contains(&id) {
                found.reached.push(id);
            }
        });
    }

    /// What a step gives to those after it, by the history; does not return where that does not tell.
    pub(crate) async fn see<S: Step>(
        &self,
        step: &S,
        item: Option<&ItemKey>,
        standing: &Standing,
    ) -> Result<S::Output, Halt> {
        let output = match standing {
            Standing::Settled(output) => Some((output, false)),
            Standing::Due { before, .. } => {
                self.note(|found| found.due.push((step.id(), item.cloned())));
                before.as_ref().map(|before| (before, true))
            }
            Standing::Outdated { before, .. } => Some((before, true)),
            Standing::Drifted { drift, before } => {
                self.note(|found| found.drifts.push(drift.clone()));
                before.as_ref().map(|before| (before, true))
            }
            Standing::Ends => return Err(Halt::EndOfReplay),
        };
        let id = step.id();
        let given = output.and_then(|(output, is_old)| Some((decode::<S::Output>(&id, output)?, is_old)));
        self.reach(id);
        match given {
            Some((output, false)) => Ok(output),
            Some((before, true)) => Ok(step.forecast(before)),
            None => std::future::pending().await,
        }
    }

    /// The same for all items of a fan-out.
    pub(crate) async fn see_all<S: Step>(
        &self,
        id: &StepId,
        whole: Standing,
        all: &[Awaited<'_, S>],
    ) -> Result<Vec<(ItemKey, S::Output)>, Halt> {
        match whole {
            Standing::Ends => return Err(Halt::EndOfReplay),
            Standing::Drifted { drift, .. } => self.note(|found| found.drifts.push(drift)),
            Standing::Settled(_) | Standing::Due { .. } | Standing::Outdated { .. } => {}
        }
        self.reach(id.clone());
        let looks = all.iter().map(|awaited| {
            let (step, item, standing) = awaited.parts();
            async move { Ok((item.cloned(), self.see(step, item, standing).await?)) }
        });
        // All of them, be it that one ends here: each is looked at.
        let seen: Vec<Result<_, Halt>> = futures_util::future::join_all(looks).await;
        seen.into_iter()
            .filter_map(|result| match result {
                Ok((item, output)) => Some(Ok((item?, output))),
                Err(halt) => Some(Err(halt)),
            })
            .collect()
    }

    /// A step that this program would skip.
    pub(crate) fn see_skip(&self, step: &StepId, drift: Option<Drift>) {
        self.note(|found| {
            found.drifts.extend(drift);
            found.reached.push(step.clone());
        });
    }
}
