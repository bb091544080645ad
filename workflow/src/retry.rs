//! When to try again: the one place that knows the `backoff` crate.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

/// Exponential backoff with full jitter: before try `n + 1`, a time drawn evenly from zero to
/// `initial * 2^(n - 1)`, at most `ceiling` (after "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Tries in all, the first one included; 1 never tries again.
    pub attempts: u32,
    /// The largest wait before the second try.
    pub initial: Duration,
    /// The largest wait before any try.
    pub ceiling: Duration,
}

impl Retry {
    /// One try only.
    pub const NEVER: Self = Self {
        attempts: 1,
        initial: Duration::ZERO,
        ceiling: Duration::ZERO,
    };

    /// What suits a command on a node: five tries, up to 0.5 s before the second, never more than 10 s.
    pub const STANDARD: Self = Self {
        attempts: 5,
        initial: Duration::from_millis(500),
        ceiling: Duration::from_secs(10),
    };

    /// The waits between the tries, one less than there are tries.
    pub fn delays(self) -> Delays {
        // `backoff` draws from `interval * (1 ± factor)`; half the interval with factor 1 is full jitter.
        let mut exponential = ExponentialBackoff {
            current_interval: self.initial / 2,
            initial_interval: self.initial / 2,
            randomization_factor: 1.0,
            multiplier: 2.0,
            max_interval: self.ceiling / 2,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        exponential.reset();
        Delays {
            exponential,
            left: self.attempts.saturating_sub(1),
        }
    }
}

/// The waits between tries; see [`Retry::delays`].
#[derive(Debug)]
pub struct Delays {
    exponential: ExponentialBackoff,
    left: u32,
}

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        self.exponential.next_backoff()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_waits_as_there_are_further_tries_each_within_its_bound() {
        let retry = Retry {
            attempts: 6,
            initial: Duration::from_millis(100),
            ceiling: Duration::from_millis(500),
        };
        for _ in 0..200 {
            let delays: Vec<_> = retry.delays().collect();
            assert_eq!(delays.len(), 5);
            for (delay, bound) in delays.iter().zip([100, 200, 400, 500, 500]) {
                assert!(
                    *delay <= Duration::from_millis(bound),
                    "{delay:?} above {bound} ms"
                );
            }
        }
    }

    #[test]
    fn jitter_is_full_not_around_a_middle() {
        let retry = Retry {
            attempts: 2,
            initial: Duration::from_secs(1),
            ceiling: Duration::from_secs(1),
        };
        let delays: Vec<_> = (0..500).filter_map(|_| retry.delays().next()).collect();
        assert!(
            delays.iter().any(|d| *d < Duration::from_millis(150)),
            "no short wait in 500"
        );
        assert!(
            delays.iter().any(|d| *d > Duration::from_millis(850)),
            "no long wait in 500"
        );
    }

    #[test]
    fn never_means_never() {
        assert_eq!(Retry::NEVER.delays().count(), 0);
    }
}
