//! Newtypes for everything that identifies something in a run's history.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A run: a ULID in lower case, so that ids sort by creation and a prefix is easy to type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(ulid::Ulid);

impl RunId {
    /// A new id from the time now and 80 random bits.
    pub fn generate() -> Self {
        Self(ulid::Ulid::new())
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string().to_ascii_lowercase())
    }
}

/// The text is not a run id (26 characters of Crockford's base 32).
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a run id")]
pub struct InvalidRunId(String);

impl FromStr for RunId {
    type Err = InvalidRunId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        ulid::Ulid::from_string(&text.to_ascii_uppercase())
            .map(Self)
            .map_err(|_| InvalidRunId(text.to_owned()))
    }
}

impl Serialize for RunId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A step of the catalogue, in kebab-case (`hdfs-format`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(Cow<'static, str>);

impl StepId {
    /// The id of a step known at compile time.
    pub const fn from_static(id: &'static str) -> Self {
        Self(Cow::Borrowed(id))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for StepId {
    fn from(id: String) -> Self {
        Self(Cow::Owned(id))
    }
}

impl From<&str> for StepId {
    fn from(id: &str) -> Self {
        Self(Cow::Owned(id.to_owned()))
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One item of a fan-out, usually a node's name; unique within its step.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ItemKey(String);

impl ItemKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ItemKey {
    fn from(key: &str) -> Self {
        Self(key.to_owned())
    }
}

impl From<String> for ItemKey {
    fn from(key: String) -> Self {
        Self(key)
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// The first one.
            pub const FIRST: Self = Self(1);

            /// The one after this.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// The place of an event in its run's history, from 1 without gaps.
    Seq(u64)
}
counter! {
    /// Which pass over the catalogue a run is in: 1 for the first, one more for each replay.
    Generation(u32)
}
counter! {
    /// How often a run has been taken over by a process; every append must carry the newest.
    Epoch(u64)
}
counter! {
    /// Which try of a step or item within its generation, from 1.
    Attempt(u32)
}

/// What names an external effect (an EC2 client token, a remote job): the same over retries and crashes of one
/// generation, another one after a replay.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EffectKey(String);

impl EffectKey {
    /// Derives the key from what it belongs to. Characters: lower-case letters, digits, `-`, `.` and `_` as far as
    /// the step's and item's names keep to them.
    pub fn derive(run: RunId, generation: Generation, step: &StepId, item: Option<&ItemKey>) -> Self {
        Self(match item {
            Some(item) => format!("{run}-g{generation}-{step}-{item}"),
            None => format!("{run}-g{generation}-{step}"),
        })
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EffectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_is_lower_case_and_parses_back_in_either_case() {
        let id = RunId::generate();
        let text = id.to_string();
        assert_eq!(text, text.to_ascii_lowercase());
        assert_eq!(text.len(), 26);
        assert_eq!(text.parse::<RunId>().unwrap(), id);
        assert_eq!(text.to_ascii_uppercase().parse::<RunId>().unwrap(), id);
        assert!("01jd3k".parse::<RunId>().is_err());
    }

    #[test]
    fn an_effect_key_is_stable_within_a_generation_and_new_in_the_next() {
        let run = RunId::generate();
        let step = StepId::from_static("launch-slaves");
        let item = ItemKey::from("demo-slave-1");
        let first = EffectKey::derive(run, Generation::FIRST, &step, Some(&item));
        assert_eq!(
            first,
            EffectKey::derive(run, Generation::FIRST, &step, Some(&item))
        );
        assert_ne!(first, EffectKey::derive(run, Generation(2), &step, Some(&item)));
        assert_ne!(first, EffectKey::derive(run, Generation::FIRST, &step, None));
    }
}
