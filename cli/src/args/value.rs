//! How single values are read, and laid over a spec.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

use crate::shape::{self, Shape};
use crate::wiring::IpNet;

/// Reads one of an enum's words, and shows them all in the help.
pub(crate) fn word<T: DeserializeOwned + Clone + Send + Sync + 'static>() -> impl TypedValueParser<Value = T>
{
    let words = match shape::at::<T>(&[]) {
        Shape::Choice(words) => words,
        _ => &[],
    };
    PossibleValuesParser::new(words).try_map(|word| {
        let word: StrDeserializer<'_, ValueError> = word.as_str().into_deserializer();
        T::deserialize(word)
    })
}

/// A range of addresses; a plain address is a range of one.
pub(crate) fn cidr(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse()
        .or_else(|_| address())
        .map_err(|_| "write a range such as 203.0.113.0/24, or an address such as 203.0.113.7".to_owned())
}

/// A flag that was given counts.
pub(crate) fn set<T: Clone>(to: &mut T, flag: Option<&T>) {
    if let Some(value) = flag {
        to.clone_from(value);
    }
}

/// The same for what may be absent.
pub(crate) fn set_option<T: Clone>(to: &mut Option<T>, flag: Option<&T>) {
    if flag.is_some() {
        *to = flag.cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_range_of_one() {
        assert_eq!(cidr("203.0.113.7").unwrap().to_string(), "203.0.113.7/32");
        assert_eq!(cidr("2001:db8::1").unwrap().to_string(), "2001:db8::1/128");
        assert_eq!(cidr("10.0.0.0/8").unwrap().to_string(), "10.0.0.0/8");
        for text in ["", "everywhere", "10.0.0.0/33", "10.0.0"] {
            assert!(cidr(text).is_err(), "{text:?}");
        }
    }
}
