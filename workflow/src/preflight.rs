//! A look over a whole workflow before anything acts: where does the history not fit what this program would do?
//!
//! The workflow's function is driven with recorded outputs, as far as they lead. A step that has to run gives what it gave
//! before, where it gave anything; otherwise its branch ends there, and the others go on.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::clock::SystemClock;
use crate::flow::{Awaited, Flow, Hand, Settings};
use crate::halt::{Drift, Halt};
use crate::ids::{ItemKey, StepId};
use crate::payload::decode;
use crate::standing::Standing;
use crate::state::RunState;
use crate::step::Step;
use crate::stop::Stop;

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

/// Looks over the workflow `body` of the run that stands as `state`; nothing acts, and nothing is recorded.
pub fn preflight<W, F, Fut, T>(state: RunState, world: Arc<W>, settings: Settings, body: F) -> Preflight
where
    W: Send + Sync + 'static,
    F: FnOnce(Flow<W>) -> Fut,
    Fut: Future<Output = Result<T, Halt>>,
{
    let sight = Arc::new(Sight {
        state,
        found: Mutex::default(),
    });
    let hand = Hand::Looks(sight.clone());
    let flow = Flow::new(world, hand, Arc::new(SystemClock), Stop::default(), settings);
    // No step acts, so nothing is waited for: what is pending and was not woken has come to its end.
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut cx = Context::from_waker(&waker);
    let mut looking = pin!(body(flow));
    loop {
        match looking.as_mut().poll(&mut cx) {
            Poll::Pending if woken.0.swap(false, Ordering::AcqRel) => {}
            Poll::Ready(Err(Halt::Drift(drift))) => {
                sight.note(|found| found.drifts.push(drift));
                break;
            }
            Poll::Pending | Poll::Ready(_) => break,
        }
    }
    let mut found = std::mem::take(&mut *sight.found.lock().unwrap_or_else(PoisonError::into_inner));
    found.drifts.sort_by_key(|drift| sight.state.index(&drift.step));
    found
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl Sight {
    fn note(&self, note: impl FnOnce(&mut Preflight)) {
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
