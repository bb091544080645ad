//! A step's or item's own progress: what it may become, and what it remembers.

use jiff::Timestamp;
use serde_json::Value;

use crate::error::ErrorReport;
use crate::ids::{Attempt, EffectKey};

/// Where a step or an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// Had an outcome before a replay declared it out of date.
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
}

/// A step, or an item of one, in the newest generation that touched it.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Where it stands.
    pub status: Status,
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
    /// What it gave.
    pub output: Option<Value>,
}

impl Progress {
    pub(crate) const fn pending() -> Self {
        Self {
            status: Status::Pending,
            attempts: 0,
            started_at: None,
            finished_at: None,
            error: None,
            input_digest: None,
            effect_key: None,
            output: None,
        }
    }

    pub(crate) fn start(
        &mut self,
        at: Timestamp,
        attempt: Attempt,
        digest: &str,
        effect: &EffectKey,
    ) -> Result<(), String> {
        match self.status {
            Status::Succeeded => return Err("it has succeeded already".into()),
            Status::Skipped => return Err("it was skipped".into()),
            Status::Pending | Status::Running | Status::Failed | Status::Stale => {}
        }
        if attempt.0 != self.attempts + 1 {
            return Err(format!("attempt {attempt} follows attempt {}", self.attempts));
        }
        self.status = Status::Running;
        self.attempts = attempt.0;
        self.started_at.get_or_insert(at);
        self.finished_at = None;
        self.error = None;
        self.input_digest = Some(digest.to_owned());
        self.effect_key = Some(effect.clone());
        Ok(())
    }

    /// `first` unless a failure of the same try may have been recorded before.
    pub(crate) fn finish(&mut self, at: Timestamp, attempt: Attempt, first: bool) -> Result<(), String> {
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

    pub(crate) fn succeed(&mut self, at: Timestamp, attempt: Attempt, output: &Value) -> Result<(), String> {
        self.finish(at, attempt, true)?;
        self.status = Status::Succeeded;
        self.output = Some(output.clone());
        Ok(())
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
}
