//! The request to stop in good order (Ctrl-C), as everything that waits can see it.

use tokio::sync::watch;

/// A switch from "go" to "stop"; clones share it, and it never goes back.
#[derive(Debug, Clone)]
pub struct Stop(watch::Sender<bool>);

impl Default for Stop {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Stop {
    /// Asks everything to stop.
    pub fn request(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was asked.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves once it is asked; at once if it was before.
    pub async fn requested(&self) {
        // The sender lives in `self`, so the wait cannot end by its loss.
        let mut receiver = self.0.subscribe();
        let _seen = receiver.wait_for(|stopped| *stopped).await;
    }
}
