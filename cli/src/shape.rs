//! What a type that serde can read is made of: the names of its fields and variants, asked of serde itself, so that
//! hints and help never know fewer keys than the program does.

use std::cell::Cell;
use std::fmt;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// What stands at a path within a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A struct with these fields.
    Table(&'static [&'static str]),
    /// An enum with these variants.
    Choice(&'static [&'static str]),
    /// A plain value, or a list of such. A list of anything else has the shape of its items.
    Value,
    /// Nothing.
    Absent,
}

/// What stands at `path` within `T`.
pub(crate) fn at<T: DeserializeOwned>(path: &[&str]) -> Shape {
    let found = Cell::new(Shape::Absent);
    let _always_stopped = T::deserialize(Looker { path, found: &found });
    found.get()
}

/// The dotted names of everything that can be set in `T`.
pub(crate) fn keys<T: DeserializeOwned>() -> Vec<String> {
    fn below<T: DeserializeOwned>(path: &[&str], keys: &mut Vec<String>) {
        match at::<T>(path) {
            Shape::Table(fields) => {
                for field in fields {
                    below::<T>(&[path, &[field]].concat(), keys);
                }
            }
            Shape::Choice(_) | Shape::Value => keys.push(path.join(".")),
            Shape::Absent => {}
        }
    }
    let mut all = Vec::new();
    below::<T>(&[], &mut all);
    all
}

/// Follows the path into the type, notes what is there, and fails.
#[derive(Clone, Copy)]
struct Looker<'a> {
    path: &'a [&'a str],
    found: &'a Cell<Shape>,
}

impl Looker<'_> {
    fn note<T>(self, shape: Shape) -> Result<T, Stop> {
        self.found.set(if self.path.is_empty() {
            shape
        } else {
            Shape::Absent
        });
        Err(Stop)
    }
}

impl<'de> Deserializer<'de> for Looker<'de> {
    type Error = Stop;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        self.note(Shape::Value)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        match self.path.split_first() {
            Some((first, rest)) if fields.contains(first) => visitor.visit_map(One {
                key: Some(first),
                value: Looker {
                    path: rest,
                    found: self.found,
                },
            }),
            _ => self.note(Shape::Table(fields)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Stop> {
        self.note(Shape::Choice(variants))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_seq(Items(self))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple
        tuple_struct map identifier ignored_any
    }
}

/// A map with the one key that the path goes through.
struct One<'a> {
    key: Option<&'a str>,
    value: Looker<'a>,
}

impl<'de> MapAccess<'de> for One<'de> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        self.key
            .take()
            .map(|key| seed.deserialize(BorrowedStrDeserializer::new(key)))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        seed.deserialize(self.value)
    }
}

/// A list, whose first item is looked at.
struct Items<'a>(Looker<'a>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Stop> {
        seed.deserialize(self.0).map(Some)
    }
}

/// The looker has seen enough.
#[derive(Debug)]
struct Stop;

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seen")
    }
}

impl std::error::Error for Stop {}

impl serde::de::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wiring::ClusterSpec;

    #[test]
    fn the_shape_of_the_spec_is_found() {
        assert!(matches!(at::<ClusterSpec>(&[]), Shape::Table(fields) if fields.contains(&"masters")));
        assert!(matches!(at::<ClusterSpec>(&["mesos"]), Shape::Table(fields) if fields.contains(&"sha256")));
        assert_eq!(
            at::<ClusterSpec>(&["mesos", "source"]),
            Shape::Choice(&["none", "tarball", "git"])
        );
        assert_eq!(at::<ClusterSpec>(&["masters"]), Shape::Value);
        assert_eq!(at::<ClusterSpec>(&["mastres"]), Shape::Absent);
        assert_eq!(at::<ClusterSpec>(&["mesos", "packages"]), Shape::Value);
        assert!(
            matches!(at::<ClusterSpec>(&["hosts", "nodes"]), Shape::Table(fields) if fields.contains(&"host_key"))
        );
        assert_eq!(
            at::<ClusterSpec>(&["hosts", "nodes", "role"]),
            Shape::Choice(&["master", "slave", "zookeeper"])
        );
        let keys = keys::<ClusterSpec>();
        for key in [
            "cluster",
            "mesos.source",
            "shared_volume.fallback",
            "local.engine_args",
            "hosts.nodes.address",
        ] {
            assert!(keys.iter().any(|k| k == key), "{key} is missing in {keys:?}");
        }
    }
}
