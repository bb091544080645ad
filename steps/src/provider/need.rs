//! What was looked at before there is a run, and what came of it.

use mesosflow_workflow::{ErrorReport, StepError};
use serde::Serialize;

/// One thing that a run needs, as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// The thing.
    pub what: String,
    /// Whether it is as it has to be, or at least nothing speaks against it.
    pub ok: bool,
    /// What was seen.
    pub detail: String,
    /// What to do where it is not so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Need {
    /// It is as it has to be.
    pub fn fine(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            ok: true,
            detail: detail.into(),
            hint: None,
        }
    }

    /// It is not.
    pub fn lacking(what: impl Into<String>, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..Self::failed(what, detail)
        }
    }

    /// The same where nothing better is known to do.
    pub fn failed(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            ok: false,
            ..Self::fine(what, detail)
        }
    }

    /// It cannot be had, as an error says.
    pub fn of(what: impl Into<String>, error: &dyn StepError) -> Self {
        let ErrorReport {
            message,
            causes,
            hint,
            ..
        } = ErrorReport::of(error);
        let all: Vec<_> = std::iter::once(message).chain(causes).collect();
        Self {
            hint,
            ..Self::failed(what, all.join(": "))
        }
    }
}
