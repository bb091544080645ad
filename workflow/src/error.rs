//! How a failure is classified: the type on which the executor decides what happens next.

use std::error::Error as StdError;

use serde::{Deserialize, Serialize};

/// What the executor may do about a failure. It is a type, never guessed from a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Nothing happened and another try may work: retried with backoff and full jitter, within the step's limits.
    Transient,
    /// Another try would fail in the same way: stops at once, other running items finish.
    Permanent,
    /// The effect may or may not have happened: the world is probed before another try.
    Ambiguous,
    /// Needs a person (expired credentials, a full disk on a node): the run pauses with a hint.
    Operator,
    /// Another driver has taken the cluster over, as a node says: nothing more may be done, and the run pauses.
    Fenced,
}

impl ErrorClass {
    /// How much one matters beside another when several items fail: who may not act at all, then what nobody can put right,
    /// then what a person can.
    pub(crate) const fn rank(self) -> u8 {
        match self {
            Self::Transient => 0,
            Self::Ambiguous => 1,
            Self::Operator => 2,
            Self::Permanent => 3,
            Self::Fenced => 4,
        }
    }

    /// Whether the executor may try again by itself.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Transient | Self::Ambiguous)
    }
}

/// The error of a step: any error that knows its class, and the way out if there is one.
pub trait StepError: StdError + Send + Sync + 'static {
    /// What the executor may do about it.
    fn class(&self) -> ErrorClass;

    /// What the user can do about it, as a sentence fragment; `None` where nothing better than the message is known.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// An error flattened for the journal and the user: what failed, what caused it, what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReport {
    /// What the executor made of it.
    pub class: ErrorClass,
    /// What was being done and what came back, a lower-case fragment.
    pub message: String,
    /// The chain of sources, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to do: a line for each thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl ErrorReport {
    /// Flattens `error` and the chain of its sources.
    pub fn of(error: &dyn StepError) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        Self {
            class: error.class(),
            message: error.to_string(),
            causes,
            hint: error.hint(),
        }
    }

    /// A report with a message only.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            causes: Vec::new(),
            hint: None,
        }
    }

    /// The same report with a way out.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
