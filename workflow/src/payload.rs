//! Inputs and outputs of steps as the journal keeps them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::error::{ErrorClass, ErrorReport};
use crate::event::How;
use crate::halt::Halt;
use crate::ids::{ItemKey, StepId};

/// What the journal keeps of a fan-out's input: which items.
#[derive(Serialize)]
pub(crate) struct Items<'a> {
    pub(crate) items: Vec<&'a ItemKey>,
}

/// A step's input as the journal keeps it.
pub(crate) struct Input {
    /// As JSON.
    pub(crate) value: Value,
    /// SHA-256 of that JSON, hex: what drift is measured by.
    pub(crate) digest: String,
}

impl Input {
    /// The input of `step`; a permanent failure of that step where it cannot be written as JSON.
    pub(crate) fn of(step: &StepId, input: &impl Serialize) -> Result<Self, Halt> {
        let unserialisable = |e| Halt::Failed {
            step: step.clone(),
            error: unserialisable("input", &e),
        };
        let value = serde_json::to_value(input).map_err(unserialisable)?;
        let text = serde_json::to_vec(&value).map_err(unserialisable)?;
        Ok(Self {
            value,
            digest: hex::encode(Sha256::digest(text)),
        })
    }
}

/// An output together with the JSON that the journal gets.
pub(crate) fn with_json<T: Serialize>((output, how): (T, How)) -> Result<(T, Value, How), ErrorReport> {
    match serde_json::to_value(&output) {
        Ok(value) => Ok((output, value, how)),
        Err(error) => Err(unserialisable("output", &error)),
    }
}

fn unserialisable(what: &str, error: &serde_json::Error) -> ErrorReport {
    ErrorReport::new(
        ErrorClass::Permanent,
        format!("its {what} cannot be written as JSON: {error}"),
    )
}

/// A recorded output as its type; drift where it does not fit.
pub(crate) fn decode<T: DeserializeOwned>(step: &StepId, output: Value) -> Result<T, Halt> {
    serde_json::from_value(output).map_err(|error| Halt::Drift {
        step: step.clone(),
        why: format!("its recorded output does not fit this program: {error}"),
    })
}
