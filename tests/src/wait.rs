//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Looks until there is something to see, and returns it.
///
/// # Panics
/// There was still nothing at the end of `limit`.
#[track_caller]
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + limit;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(
            Instant::now() < give_up,
            "{what}: not so after {} s",
            limit.as_secs()
        );
        std::thread::sleep(LOOK_EVERY);
    }
}
