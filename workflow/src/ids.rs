//! Newtypes for everything that identifies something in a run's history.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The text is not an id (26 characters of Crockford's base 32).
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not the id of a {of}")]
pub struct InvalidId {
    text: String,
    of: &'static str,
}

macro_rules! ulid {
    ($(#[$doc:meta])* $name:ident($of:literal)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(ulid::Ulid);

        impl $name {
            /// A new id from the time now and 80 random bits.
            pub fn generate() -> Self {
                Self(ulid::Ulid::new())
            }

            /// The id as a number: time above, chance below.
            pub const fn as_u128(self) -> u128 {
                self.0.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0.to_string().to_ascii_lowercase())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                ulid::Ulid::from_string(&text.to_ascii_uppercase())
                    .map(Self)
                    .map_err(|_| InvalidId { text: text.to_owned(), of: $of })
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

ulid! {
    /// A run: a ULID in lower case, so that ids sort by creation and a prefix is easy to type.
    RunId("run")
}
ulid! {
    /// A cluster, whatever becomes of its name: a ULID in lower case. It outlives the runs that make and change it.
    ClusterId("cluster")
}

impl ClusterId {
    /// The cluster of a run of event format 1, which had one of its own and gave it no id: the run's.
    pub const fn of_run(run: RunId) -> Self {
        Self(run.0)
    }
}

/// What tells two take-overs of the same epoch apart, which only a copied journal can bring about: 64 random bits, written
/// as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nonce(u64);

impl Nonce {
    /// A new one.
    pub fn generate() -> Self {
        // The low bits of a ULID are random.
        Self(ulid::Ulid::new().0 as u64)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Nonce {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// Text that is no nonce.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a nonce (16 hexadecimal digits)")]
pub struct InvalidNonce(String);

impl FromStr for Nonce {
    type Err = InvalidNonce;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok());
        number
            .flatten()
            .map(Self)
            .ok_or_else(|| InvalidNonce(text.to_owned()))
    }
}

/// One beginning or take-over of a run: who drove the cluster, or does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Driver {
    /// Its epoch.
    pub epoch: Epoch,
    /// What tells it from another one of that epoch.
    pub nonce: Nonce,
}

/// What every act of a run on a node carries, so that the node can refuse who may no longer act: the cluster, the epoch of
/// the take-over, and what tells it from another one of that epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FencingToken {
    /// Whose nodes they are.
    pub cluster: ClusterId,
    /// The take-over under which is acted.
    pub epoch: Epoch,
    /// That take-over and no other of its number.
    pub nonce: Nonce,
}

impl FencingToken {
    /// The driver whose token it is.
    pub const fn driver(&self) -> Driver {
        Driver {
            epoch: self.epoch,
            nonce: self.nonce,
        }
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
    /// How often a process has begun or taken over any run of a cluster; every append must carry the newest.
    Epoch(u64)
}
counter! {
    /// Which try of a step or item within its generation, from 1.
    Attempt(u32)
}

/// What names an external effect (an EC2 client token, a remote job): the same over retries and crashes, another one after
/// a replay and once what it had made is known to be gone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EffectKey(String);

impl EffectKey {
    /// Derives the key from what it belongs to. Characters: lower-case letters, digits, `-`, `.` and `_` as far as
    /// the step's and item's names keep to them.
    ///
    /// `round` counts how often the outcome became stale within the generation; the first, 0, is not written.
    pub fn derive(
        run: RunId,
        generation: Generation,
        step: &StepId,
        item: Option<&ItemKey>,
        round: u32,
    ) -> Self {
        let mut key = format!("{run}-g{generation}-{step}");
        if let Some(item) = item {
            key.push_str(&format!("-{item}"));
        }
        if round > 0 {
            key.push_str(&format!(".{round}"));
        }
        Self(key)
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
        let key =
            |generation, item, round| EffectKey::derive(run, Generation(generation), &step, item, round);
        let first = key(1, Some(&item), 0);
        assert_eq!(first.as_str(), format!("{run}-g1-launch-slaves-demo-slave-1"));
        assert_eq!(first, key(1, Some(&item), 0));
        assert_ne!(first, key(2, Some(&item), 0));
        assert_ne!(first, key(1, Some(&item), 1));
        assert_ne!(first, key(1, None, 0));
    }

    #[test]
    fn a_nonce_is_16_digits_and_reads_back() {
        let nonce = Nonce(0xfe);
        assert_eq!(serde_json::to_value(nonce).unwrap(), "00000000000000fe");
        assert_eq!(
            serde_json::from_value::<Nonce>("00000000000000fe".into()).unwrap(),
            nonce
        );
        assert_ne!(Nonce::generate(), Nonce::generate());
    }
}
