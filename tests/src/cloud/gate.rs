//! A call that is held between its effect and its answer, so that something can happen just then.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::wait::until;

/// The two sides' meeting place.
#[derive(Debug)]
pub struct Gate {
    reached: watch::Sender<bool>,
    open: watch::Sender<bool>,
}

impl Gate {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            reached: watch::Sender::new(false),
            open: watch::Sender::new(false),
        })
    }

    /// Says that the call has come here, and waits until it may go on.
    pub(super) async fn pass(&self) {
        let mut open = self.open.subscribe();
        self.reached.send_replace(true);
        // The sender is in this very gate: it cannot be gone.
        let _open = open.wait_for(|open| *open).await;
    }
}

/// Holds one call. Dropped, it lets go.
#[derive(Debug)]
pub struct Held {
    pub(super) gate: Arc<Gate>,
    pub(super) action: &'static str,
}

impl Held {
    /// Waits until there is a call, and its effect with it.
    ///
    /// # Panics
    /// None comes within `limit`.
    #[track_caller]
    pub fn wait_reached(&self, limit: Duration) {
        until(&format!("a call of {}", self.action), limit, || {
            self.is_reached().then_some(())
        });
    }

    /// Whether there was a call.
    pub fn is_reached(&self) -> bool {
        *self.gate.reached.borrow()
    }

    /// Lets the answer through.
    pub fn release(&self) {
        self.gate.open.send_replace(true);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release();
    }
}
