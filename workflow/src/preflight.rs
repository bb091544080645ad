//! A look over a whole workflow before anything acts: where does the history not fit what this program would do?
//!
//! The workflow's function is driven with recorded outputs, as far as they lead. A step that has to run gives what it gave
//! before, where it gave anything; otherwise its branch ends there, and the others go on.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::clock::SystemClock;
use crate::flow::{Flow, Hand, Settings};
use crate::halt::Halt;
use crate::sight::{Preflight, Sight};
use crate::state::RunState;
use crate::stop::Stop;

/// Looks over the workflow `body` of the run that stands as `state`; nothing acts, and nothing is recorded.
pub fn preflight<W, F, Fut, T>(state: RunState, world: Arc<W>, settings: Settings, body: F) -> Preflight
where
    W: Send + Sync + 'static,
    F: FnOnce(Flow<W>) -> Fut,
    Fut: Future<Output = Result<T, Halt>>,
{
    let sight = Arc::new(Sight::over(state));
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
    sight.found()
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}
