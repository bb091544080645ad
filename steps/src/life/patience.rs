//! How long a departure may bring nothing forward.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// How far datanodes are that leave: the blocks of each that does not stand where it has to, by its name.
pub(super) type Blocks = BTreeMap<String, u64>;

/// Watches the numbers go down.
#[derive(Debug)]
pub(super) struct Patience {
    /// The least that each has had left.
    least: Blocks,
    /// Since when nothing has gone down.
    since: Instant,
}

impl Patience {
    pub(super) fn begun(now: Instant) -> Self {
        Self {
            least: Blocks::new(),
            since: now,
        }
    }

    /// Takes note of the numbers by now. A namenode says 0 of a datanode before it has counted and after it has counted the last one: that
    /// says nothing. One that is not among them any more has come to its end.
    pub(super) fn hears(&mut self, blocks: &Blocks, now: Instant) {
        let before = self.least.len();
        self.least.retain(|node, _| blocks.contains_key(node));
        let mut forward = self.least.len() < before;
        for (node, left) in blocks {
            let least = self.least.entry(node.clone()).or_insert(u64::MAX);
            if *left > 0 && *left < *least {
                *least = *left;
                forward = true;
            }
        }
        if forward {
            self.since = now;
        }
    }

    /// How long nothing has come forward.
    pub(super) fn silence(&self, now: Instant) -> Duration {
        now.duration_since(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fewer_blocks_or_fewer_datanodes_count() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut patience = Patience::begun(begun);
        let mut silence = |seconds, blocks: &[(&str, u64)]| {
            let blocks = blocks.iter().map(|(node, left)| ((*node).to_owned(), *left));
            patience.hears(&blocks.collect(), at(seconds));
            patience.silence(at(seconds)).as_secs()
        };
        // Not counted yet.
        assert_eq!(silence(10, &[("a", 0), ("b", 0)]), 10);
        assert_eq!(silence(20, &[("a", 5), ("b", 0)]), 0);
        assert_eq!(silence(30, &[("a", 5), ("b", 0)]), 10);
        // One goes up and down again.
        assert_eq!(silence(40, &[("a", 7), ("b", 0)]), 20);
        assert_eq!(silence(50, &[("a", 5), ("b", 0)]), 30);
        assert_eq!(silence(60, &[("a", 4), ("b", 0)]), 0);
        assert_eq!(silence(70, &[("a", 0), ("b", 0)]), 10);
        assert_eq!(silence(80, &[("b", 0)]), 0);
        assert_eq!(silence(90, &[("b", 0)]), 10);
        // The first time that it says a number.
        assert_eq!(silence(100, &[("b", 9)]), 0);
    }
}
