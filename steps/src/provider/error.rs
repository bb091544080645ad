//! What a provider says when it refuses or fails.

use mesosflow_workflow::{ErrorClass, StepError};

use crate::cluster::ProviderKind;

/// A provider refused or failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{doing}")]
pub struct ProviderError {
    /// What was being done to what.
    pub doing: String,
    /// What the executor may do about it.
    pub class: ErrorClass,
    /// What to do, where it is known.
    pub hint: Option<String>,
    /// What came back.
    #[source]
    pub source: Answer,
}

impl ProviderError {
    /// The same where something was done before it failed.
    #[must_use]
    pub fn after_effect(mut self) -> Self {
        if self.class == ErrorClass::Transient {
            self.class = ErrorClass::Ambiguous;
        }
        self
    }
}

/// What a provider answered, in its own words.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Answer(pub String);

impl StepError for ProviderError {
    fn class(&self) -> ErrorClass {
        self.class
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// Machines were asked for where all are there already.
pub(crate) fn not_launched(provider: ProviderKind) -> ProviderError {
    ProviderError {
        doing: format!("nothing can be made for provider `{provider}`"),
        class: ErrorClass::Permanent,
        hint: None,
        source: Answer("its machines are there already, and it makes none".into()),
    }
}
