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
struct Items<'a> {
    items: Vec<&'a ItemKey>,
}

/// A step's input as the journal keeps it.
pub(crate) struct Input {
    /// As JSON.
    pub(crate) value: Value,
    /// SHA-256 of that JSON without its nulls, hex: what drift is measured by. An optional field that a later version of a
    /// type has, and an earlier had not, is no other input as long as it is not given.
    pub(crate) digest: String,
    /// Whether it is the list of a fan-out's items.
    pub(crate) is_list: bool,
}

impl Input {
    /// The input of `step`; a permanent failure of that step where it cannot be written as JSON.
    pub(crate) fn of(step: &StepId, input: &impl Serialize) -> Result<Self, Halt> {
        let unserialisable = |e| Halt::Failed {
            step: step.clone(),
            error: unserialisable("input", &e),
        };
        let value = serde_json::to_value(input).map_err(unserialisable)?;
        let text = match has_null(&value) {
            true => serde_json::to_vec(&without_nulls(value.clone())),
            false => serde_json::to_vec(&value),
        };
        Ok(Self {
            digest: hex::encode(Sha256::digest(text.map_err(unserialisable)?)),
            value,
            is_list: false,
        })
    }

    /// The input of a fan-out as a whole: which items.
    pub(crate) fn list(step: &StepId, items: Vec<&ItemKey>) -> Result<Self, Halt> {
        Ok(Self {
            is_list: true,
            ..Self::of(step, &Items { items })?
        })
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.values().any(|field| field.is_null() || has_null(field)),
        Value::Array(values) => values.iter().any(has_null),
        _ => false,
    }
}

/// The same with no field that is null; elements of lists stay, since their places count.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let given = fields.into_iter().filter(|(_, field)| !field.is_null());
            Value::Object(given.map(|(key, field)| (key, without_nulls(field))).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(without_nulls).collect()),
        other => other,
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

/// A recorded output as its type; none where it is another version's and does not fit.
pub(crate) fn decode<T: DeserializeOwned>(step: &StepId, output: &Value) -> Option<T> {
    T::deserialize(output)
        .inspect_err(|error| tracing::info!(%step, %error, "its recorded output is another version's"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_optional_field_more_is_the_same_input_until_it_is_given() {
        let digest = |value: Value| Input::of(&StepId::from_static("s"), &value).unwrap().digest;
        let before = digest(json!({"node": {"name": "n"}, "list": [1, null]}));
        assert_eq!(
            digest(json!({"node": {"name": "n", "rack": null}, "list": [1, null], "more": null})),
            before
        );
        assert_ne!(
            digest(json!({"node": {"name": "n", "rack": "r"}, "list": [1, null]})),
            before
        );
        assert_ne!(digest(json!({"node": {"name": "n"}, "list": [1]})), before);
    }
}
