//! EC2's own measure: a bucket of tokens for each kind of calls, and a refusal where it is empty.

use std::time::Instant;

use super::call::looks;

/// The buckets of one account in one region, full at first ("Request throttling for the Amazon EC2 API", developer guide).
#[derive(Debug)]
pub(super) struct Buckets {
    looks: Bucket,
    changes: Bucket,
    launches: Bucket,
    refused: usize,
}

#[derive(Debug)]
struct Bucket {
    size: f64,
    refill: f64,
    tokens: f64,
    counted: Instant,
}

impl Bucket {
    fn new(size: f64, refill: f64) -> Self {
        Self {
            size,
            refill,
            tokens: size,
            counted: Instant::now(),
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.counted).as_secs_f64();
        self.tokens = (self.tokens + since * self.refill).min(self.size);
        self.counted = now;
        let is_left = self.tokens >= 1.0;
        if is_left {
            self.tokens -= 1.0;
        }
        is_left
    }
}

impl Buckets {
    pub(super) fn new() -> Self {
        Self {
            looks: Bucket::new(100.0, 20.0),
            changes: Bucket::new(50.0, 5.0),
            launches: Bucket::new(5.0, 2.0),
            refused: 0,
        }
    }

    /// Whether a call goes through.
    pub(super) fn take(&mut self, action: &str, now: Instant) -> bool {
        let bucket = match action {
            "RunInstances" => &mut self.launches,
            _ if looks(action) => &mut self.looks,
            _ => &mut self.changes,
        };
        let goes = bucket.take(now);
        self.refused += usize::from(!goes);
        goes
    }

    /// How many did not, so far.
    pub(super) const fn refused(&self) -> usize {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_gives_what_is_in_it_and_what_comes_in() {
        let mut buckets = Buckets::new();
        let begun = buckets.launches.counted;
        let mut launch = |after: u64| buckets.take("RunInstances", begun + Duration::from_millis(after));
        assert_eq!([0; 6].map(&mut launch), [true, true, true, true, true, false]);
        assert_eq!(
            [400, 600, 700, 1_100].map(&mut launch),
            [false, true, false, true]
        );
        assert!(buckets.take("DescribeInstances", begun));
        assert_eq!(buckets.refused(), 3);
    }
}
