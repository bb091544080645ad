//! How fast EC2 is called: no faster than its own buckets fill, a bounded number of calls at once, and after a refusal all
//! calls of one kind wait together instead of each for itself.
//!
//! The sizes are those of "Request throttling for the Amazon EC2 API" (EC2 developer guide): an account has in each region a
//! bucket of tokens for each action, and the actions of one kind have buckets of one size. They are shared with whatever else
//! the account does, so a tenth is left to others, and a kind is counted here as if it were one action.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mesosflow_workflow::{Delays, Retry};
use tokio::sync::{Mutex as Turn, Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// What of EC2's buckets is used here.
const SHARE: f64 = 0.9;
/// How long all calls of a kind wait after a refusal: longer with each that follows, until one is let through.
const PATIENCE: Retry = Retry {
    attempts: u32::MAX,
    initial: Duration::from_secs(2),
    ceiling: Duration::from_secs(20),
};
/// The least of these waits: a bucket that was found empty has hardly anything in it sooner.
const LEAST: Duration = Duration::from_millis(500);

/// Calls that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What only looks.
    Look,
    /// What changes something, but for the following.
    Change,
    /// `RunInstances`.
    Launch,
    /// `TerminateInstances`.
    End,
}

impl Kind {
    pub(super) fn of(operation: &str) -> Self {
        match operation {
            "RunInstances" => Self::Launch,
            "TerminateInstances" => Self::End,
            _ if operation.starts_with("Describe") || operation.starts_with("Get") => Self::Look,
            _ => Self::Change,
        }
    }

    /// The bucket's size, tokens a second that it is refilled by, and calls at once.
    const fn limits(self) -> (f64, f64, usize) {
        match self {
            Self::Look => (100.0, 20.0, 8),
            Self::Change | Self::End => (50.0, 5.0, 8),
            Self::Launch => (5.0, 2.0, 5),
        }
    }
}

/// The pace of all calls of one client.
#[derive(Debug)]
pub(super) struct Pace {
    look: Lane,
    change: Lane,
    launch: Lane,
    end: Lane,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            look: Lane::new(Kind::Look),
            change: Lane::new(Kind::Change),
            launch: Lane::new(Kind::Launch),
            end: Lane::new(Kind::End),
        }
    }
}

impl Pace {
    /// Waits until a call of that kind may be made; it counts as being made for as long as the permit lives.
    pub(super) async fn permit(&self, kind: Kind) -> Permit<'_> {
        let lane = match kind {
            Kind::Look => &self.look,
            Kind::Change => &self.change,
            Kind::Launch => &self.launch,
            Kind::End => &self.end,
        };
        // It is never closed; and without a permit the bucket still holds.
        let room = lane.room.acquire().await.ok();
        let _turn = lane.turn.lock().await;
        loop {
            let now = Instant::now();
            let taken = lane.bucket().take(now);
            match taken {
                Ok(()) => break,
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
        Permit {
            lane,
            begun: Instant::now(),
            _room: room,
        }
    }
}

/// One kind's way to the API.
#[derive(Debug)]
struct Lane {
    room: Semaphore,
    /// Who waits for a token: first come, first served.
    turn: Turn<()>,
    bucket: Mutex<Bucket>,
}

impl Lane {
    fn new(kind: Kind) -> Self {
        let (size, refill, at_once) = kind.limits();
        Self {
            room: Semaphore::new(at_once),
            turn: Turn::new(()),
            bucket: Mutex::new(Bucket::new(size * SHARE, refill * SHARE, Instant::now())),
        }
    }

    /// What a panic leaves behind is still good.
    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that may be made.
#[derive(Debug)]
pub(super) struct Permit<'p> {
    lane: &'p Lane,
    begun: Instant,
    _room: Option<SemaphorePermit<'p>>,
}

impl Permit<'_> {
    /// EC2 refused the call as one too many.
    pub(super) fn refused(self) {
        self.lane.bucket().refused(self.begun, Instant::now());
    }

    /// EC2 took the call, whatever came of it.
    pub(super) fn taken(self) {
        self.lane.bucket().taken(self.begun);
    }
}

/// Tokens as EC2 counts them, and the wait after a refusal.
#[derive(Debug)]
pub(super) struct Bucket {
    size: f64,
    refill: f64,
    tokens: f64,
    counted: Instant,
    /// Until when nothing goes out after a refusal.
    closed: Option<Instant>,
    /// When the last refusal came.
    refusal: Option<Instant>,
    delays: Delays,
}

impl Bucket {
    /// A full one of that size, refilled by so many tokens a second.
    pub(super) fn new(size: f64, refill: f64, now: Instant) -> Self {
        Self {
            size,
            refill,
            tokens: size.floor(),
            counted: now,
            closed: None,
            refusal: None,
            delays: PATIENCE.delays(),
        }
    }

    /// Takes a token, or says how long there will be none.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        if let Some(closed) = self.closed.filter(|closed| *closed > now) {
            return Err(closed - now);
        }
        let since = now.saturating_duration_since(self.counted).as_secs_f64();
        self.tokens = (self.tokens + since * self.refill).min(self.size.floor());
        self.counted = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.tokens) / self.refill))
    }

    /// A call that began then was refused. Calls that had gone out before the last refusal came say nothing new with theirs.
    fn refused(&mut self, begun: Instant, now: Instant) {
        self.tokens = 0.0;
        self.counted = now;
        if self.refusal.is_some_and(|last| begun <= last) {
            return;
        }
        self.refusal = Some(now);
        let delay = self.delays.next().unwrap_or(PATIENCE.ceiling).max(LEAST);
        self.closed = Some(now + delay);
    }

    /// A call that began then was let through: after the last refusal, that one is over.
    fn taken(&mut self, begun: Instant) {
        if self.refusal.is_some_and(|last| begun > last) {
            self.refusal = None;
            self.delays = PATIENCE.delays();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many calls a bucket lets out within some seconds, each asked for as soon as the bucket says.
    fn calls(bucket: &mut Bucket, from: Instant, seconds: u64) -> usize {
        let (mut now, mut count) = (from, 0);
        while now < from + Duration::from_secs(seconds) {
            match bucket.take(now) {
                Ok(()) => count += 1,
                Err(wait) => now += wait.max(Duration::from_millis(1)),
            }
        }
        count
    }

    #[test]
    fn no_more_goes_out_than_ec2_would_take() {
        let begun = Instant::now();
        for kind in [Kind::Look, Kind::Change, Kind::Launch, Kind::End] {
            let lane = Lane::new(kind);
            let (size, refill, _) = kind.limits();
            let out = calls(&mut lane.bucket(), begun, 60);
            let taken = size + 60.0 * refill;
            let (out, wanted) = (out as f64, 0.8 * taken);
            assert!(out <= taken && out >= wanted, "{kind:?}: {out} of {taken}");
        }
    }

    #[test]
    fn after_a_refusal_all_wait_and_once_for_all_that_were_on_their_way() {
        let begun = Instant::now();
        let mut bucket = Bucket::new(50.0, 5.0, begun);
        for _ in 0..3 {
            bucket.take(begun).unwrap();
        }
        let refused = begun + Duration::from_secs(1);
        bucket.refused(begun, refused);
        let wait = bucket.take(refused).unwrap_err();
        assert!(wait >= LEAST && wait <= PATIENCE.initial, "{wait:?}");
        bucket.refused(begun, refused + Duration::from_millis(10));
        assert_eq!(bucket.take(refused).unwrap_err(), wait);
        // What went out before says nothing of whether it is over.
        bucket.taken(begun);
        assert!(bucket.refusal.is_some());

        let mut closed = refused;
        for _ in 0..100 {
            let again = closed + Duration::from_secs(30);
            bucket.take(again).unwrap();
            closed = again + Duration::from_millis(1);
            bucket.refused(again, closed);
            let wait = bucket.take(closed).unwrap_err();
            assert!(wait >= LEAST && wait <= PATIENCE.ceiling, "{wait:?}");
        }
        bucket.taken(closed + Duration::from_secs(60));
        assert!(bucket.refusal.is_none());
    }

    #[test]
    fn calls_are_of_their_kind() {
        for (operation, kind) in [
            ("RunInstances", Kind::Launch),
            ("TerminateInstances", Kind::End),
            ("DescribeVolumes", Kind::Look),
            ("GetConsoleOutput", Kind::Look),
            ("CreateTags", Kind::Change),
            ("DeleteVolume", Kind::Change),
        ] {
            assert_eq!(Kind::of(operation), kind, "{operation}");
        }
    }
}
