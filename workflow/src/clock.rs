//! Time, as the engine sees it: a trait, so that tests decide how it passes.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;

/// A future on the heap, sendable between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Tells the time and lets it pass.
pub trait Clock: Send + Sync + 'static {
    /// The time now, UTC.
    fn now(&self) -> Timestamp;

    /// Resolves once `duration` has passed.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock that starts at a given time and follows tokio's timer. Under a paused tokio runtime, time passes only when
/// nothing else can happen, at once: hours of backoff take milliseconds, and two runs of a test see the same times.
#[derive(Debug, Clone, Copy)]
pub struct SimulatedClock {
    epoch: Timestamp,
    started: tokio::time::Instant,
}

impl SimulatedClock {
    /// A clock that shows `epoch` now. Must be called within a tokio runtime.
    pub fn starting_at(epoch: Timestamp) -> Self {
        Self {
            epoch,
            started: tokio::time::Instant::now(),
        }
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        self.epoch
            .saturating_add(self.started.elapsed())
            .unwrap_or(Timestamp::MAX)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn simulated_hours_pass_at_once_and_exactly() {
        let clock = SimulatedClock::starting_at(Timestamp::UNIX_EPOCH);
        let before = std::time::Instant::now();
        clock.sleep(Duration::from_secs(3 * 3600)).await;
        assert_eq!(clock.now().as_second(), 3 * 3600);
        assert!(
            before.elapsed() < Duration::from_secs(60),
            "three hours were waited for"
        );
    }
}
