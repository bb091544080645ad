//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// How soon a condition is looked at again; and later on, since a look at a node is work for the machine that everything waits for.
const SOON: Duration = Duration::from_millis(200);
const LATER: Duration = Duration::from_secs(1);

/// Looks until there is something to see, and returns it.
///
/// # Panics
/// There was still nothing at the end of `limit`.
#[track_caller]
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + limit;
    let mut pause = SOON;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(
            Instant::now() < give_up,
            "{what}: not so after {} s",
            limit.as_secs()
        );
        std::thread::sleep(pause);
        pause = (pause * 5 / 4).min(LATER);
    }
}
