//! A step's or item's own progress: what it may become, and what it remembers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{ErrorClass, ErrorReport};
use crate::event::Inherited;
use crate::ids::{Attempt, EffectKey, Epoch, Generation, Seq};

/// Where a step or an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Never started.
    Pending,
    /// Started, and not known to have ended; also between two tries.
    Running,
    /// Reached its aim.
    Succeeded,
    /// Its last try failed.
    Failed,
    /// Does not apply to this cluster.
    Skipped,
    /// It was begun or had an outcome, which does not count any more.
    Stale,
}

impl Status {
    /// The word that `status` shows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Stale => "stale",
        }
    }

    /// Whether it is an outcome that counts.
    pub const fn is_valid(self) -> bool {
        matches!(self, Self::Succeeded | Self::Skipped)
    }
}

/// A step, or an item of one, in the newest generation that touched it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Where it stands.
    pub status: Status,
    /// The generation that last touched it.
    pub generation: Generation,
    /// Tries in that generation.
    pub attempts: u32,
    /// Start of the first try in that generation.
    pub started_at: Option<Timestamp>,
    /// End of the last try.
    pub finished_at: Option<Timestamp>,
    /// Why the last try failed.
    pub error: Option<ErrorReport>,
    /// The digest of the input that it last ran with.
    pub input_digest: Option<String>,
    /// The name of its external effect.
    pub effect_key: Option<EffectKey>,
    /// The generation that asked for that effect: the newest whose replay named the step among those to run again.
    pub asked: Generation,
    /// How often its outcome became stale since.
    pub round: u32,
    /// The newest of the generations that asked for it and got it: until then it is asked for, however often it is begun.
    #[serde(default)]
    pub answered: Option<Generation>,
    /// What it gave when it last succeeded, be it out of date.
    pub output: Option<Value>,
    /// The take-over under which it gave that: of what several runs of a cluster say of one thing, the newest counts.
    pub given: Epoch,
    /// The event that began its last try.
    pub started: Seq,
    /// The event by which its output became another than the one before, if it ever did.
    pub replaced: Option<Seq>,
    /// Why its outcome does not count any more.
    pub stale: Option<String>,
    /// Whether that is so because nobody could see to it: a run may end without it.
    #[serde(default)]
    pub left: bool,
}

/// What a `StepStarted` says.
pub(crate) struct Start<'a> {
    pub(crate) at: Timestamp,
    pub(crate) seq: Seq,
    pub(crate) generation: Generation,
    pub(crate) asked: Generation,
    pub(crate) attempt: Attempt,
    pub(crate) digest: &'a str,
    pub(crate) effect: &'a EffectKey,
}

impl Progress {
    pub(crate) const fn pending(generation: Generation) -> Self {
        Self {
            status: Status::Pending,
            generation,
            attempts: 0,
            started_at: None,
            finished_at: None,
            error: None,
            input_digest: None,
            effect_key: None,
            asked: generation,
            round: 0,
            answered: None,
            output: None,
            given: Epoch(0),
            started: Seq(0),
            replaced: None,
            stale: None,
            left: false,
        }
    }

    /// Whether what was asked for has been reached once: what runs again then was not meant, and only made from something
    /// else.
    pub(crate) fn is_answered(&self) -> bool {
        self.answered == Some(self.asked)
    }

    /// The number of the next try in `generation`.
    pub(crate) const fn next_attempt(&self, generation: Generation) -> Attempt {
        if self.generation.0 == generation.0 {
            Attempt(self.attempts + 1)
        } else {
            Attempt::FIRST
        }
    }

    /// The round of the next try's effect, where `asked` is the newest generation that asked for it: the same as long as the
    /// effect may still serve.
    pub(crate) const fn next_round(&self, asked: Generation) -> u32 {
        if self.effect_key.is_none() || self.asked.0 != asked.0 {
            0
        } else if matches!(self.status, Status::Stale) {
            self.round + 1
        } else {
            self.round
        }
    }

    /// Another run has done it, and what that gave counts. How it was begun there says nothing of a beginning here.
    pub(crate) fn inherit(&mut self, done: &Inherited, at: Timestamp, epoch: Epoch) {
        self.status = Status::Succeeded;
        self.finished_at = Some(at);
        self.error = None;
        self.input_digest = Some(done.input_digest.clone());
        self.output = Some(done.output.clone());
        self.given = epoch;
        self.started = Seq(0);
        self.stale = None;
    }

    pub(crate) fn start(&mut self, start: &Start<'_>) -> Result<(), String> {
        if self.status.is_valid() {
            return Err(format!("it has its outcome: {}", self.status.as_str()));
        }
        let expected = self.next_attempt(start.generation);
        if start.attempt != expected {
            return Err(format!(
                "attempt {} follows attempt {}",
                start.attempt,
                expected.0 - 1
            ));
        }
        let anew = self.generation != start.generation || self.status == Status::Stale;
        self.round = self.next_round(start.asked);
        self.asked = start.asked;
        self.status = Status::Running;
        self.generation = start.generation;
        self.attempts = start.attempt.0;
        if anew {
            self.started_at = None;
        }
        self.started_at.get_or_insert(start.at);
        self.finished_at = None;
        self.error = None;
        self.stale = None;
        self.left = false;
        self.input_digest = Some(start.digest.to_owned());
        self.effect_key = Some(start.effect.clone());
        self.started = start.seq;
        Ok(())
    }

    /// `first` unless a failure of the same try may have been recorded before.
    fn finish(&mut self, at: Timestamp, attempt: Attempt, first: bool) -> Result<(), String> {
        if self.status != Status::Running {
            return Err(format!("it is {}, not running", self.status.as_str()));
        }
        if attempt.0 != self.attempts {
            return Err(format!(
                "attempt {attempt} is not the running attempt {}",
                self.attempts
            ));
        }
        if first && self.finished_at.is_some() {
            return Err(format!("attempt {attempt} has failed"));
        }
        self.finished_at = Some(at);
        Ok(())
    }

    /// Whether it gave another output than before.
    pub(crate) fn succeed(
        &mut self,
        (at, seq, epoch): (Timestamp, Seq, Epoch),
        attempt: Attempt,
        output: &Value,
    ) -> Result<bool, String> {
        self.finish(at, attempt, true)?;
        self.status = Status::Succeeded;
        self.answered = Some(self.asked);
        let replaced = self.output.as_ref().is_some_and(|before| before != output);
        if replaced {
            self.replaced = Some(seq);
        }
        self.output = Some(output.clone());
        self.given = epoch;
        Ok(replaced)
    }

    /// A last failure may follow an announced try which then does not come.
    pub(crate) fn fail(
        &mut self,
        at: Timestamp,
        attempt: Attempt,
        error: &ErrorReport,
        again: bool,
    ) -> Result<(), String> {
        self.finish(at, attempt, again)?;
        self.error = Some(error.clone());
        self.status = if again { Status::Running } else { Status::Failed };
        Ok(())
    }

    /// The run is closed while it is under way: nobody goes on with it, and it has failed. What it left in doubt stays in doubt, under
    /// the name that it has.
    pub(crate) fn cut_off(&mut self, at: Timestamp) {
        if self.status != Status::Running {
            return;
        }
        self.status = Status::Failed;
        self.finished_at.get_or_insert(at);
        const CLOSED: &str = "the run was closed while it was under way";
        match &mut self.error {
            // Its last try had failed, and it was to be tried again.
            Some(error) => error
                .causes
                .push("the run was closed before it was tried again".to_owned()),
            None => self.error = Some(ErrorReport::new(ErrorClass::Ambiguous, CLOSED)),
        }
    }

    pub(crate) fn skip(&mut self, at: Timestamp, generation: Generation) {
        *self = Self {
            status: Status::Skipped,
            finished_at: Some(at),
            // What it gave when it ran counts no more, and what it left in the world is told by the effects in doubt.
            ..Self::pending(generation)
        };
    }

    /// Says that what it did does not count any more; what never began stays as it is.
    pub(crate) fn outdate(&mut self, why: &str) {
        if !matches!(self.status, Status::Pending | Status::Stale) {
            self.status = Status::Stale;
            self.stale = Some(why.to_owned());
        }
    }
}
