//! What can go wrong when a step acts: the one error type of the steps that have no special one.

use mesosflow_workflow::{ErrorClass, RecordError, StepError};

use crate::provider::ProviderError;
use crate::remote::RemoteError;
use crate::templates::TemplateError;

/// A step could not act, or the world is not as it should be after it did.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// A node refused or failed.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The provider refused or failed.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The journal failed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A template cannot be rendered.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A file of this machine cannot be read or written.
    #[error("{doing}")]
    Local {
        /// What was being done to what.
        doing: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The world was looked at, and is not as it has to be.
    #[error("{what}")]
    Unmet {
        /// Where, and what is wrong.
        what: String,
        /// What the executor may do about it.
        class: ErrorClass,
        /// What to do, where it is known.
        hint: Option<String>,
    },
}

impl ActError {
    /// What was looked at is not so yet, and may become so.
    pub fn not_yet(what: impl Into<String>) -> Self {
        Self::Unmet {
            what: what.into(),
            class: ErrorClass::Transient,
            hint: None,
        }
    }

    /// What was looked at is wrong, and trying again will not mend it.
    pub fn wrong(what: impl Into<String>) -> Self {
        Self::Unmet {
            what: what.into(),
            class: ErrorClass::Permanent,
            hint: None,
        }
    }

    /// The same with a way out.
    #[must_use]
    pub fn hinted(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Unmet { what, class, .. } => Self::Unmet {
                what,
                class,
                hint: Some(hint.into()),
            },
            other => other,
        }
    }
}

impl StepError for ActError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Remote(error) => error.class(),
            Self::Provider(error) => error.class(),
            Self::Record(error) => error.class(),
            Self::Template(_) => ErrorClass::Permanent,
            Self::Local { .. } => ErrorClass::Operator,
            Self::Unmet { class, .. } => *class,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Remote(error) => error.hint(),
            Self::Provider(error) => error.hint(),
            Self::Template(error) => Some(error.hint()),
            Self::Unmet { hint, .. } => hint.clone(),
            Self::Record(_) | Self::Local { .. } => None,
        }
    }
}
