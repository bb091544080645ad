//! Tokens of version 2: good for some time, and for the machine that asked for them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The longest life of a token, seconds ("Use the Instance Metadata Service", EC2 user guide).
const LONGEST: u64 = 21_600;

#[derive(Debug, Default)]
pub(super) struct Tokens {
    given: BTreeMap<String, (IpAddr, Instant)>,
}

impl Tokens {
    /// A token for that machine, and for how many seconds it is good; none where the life that it asks for is none.
    pub(super) fn give(&mut self, to: IpAddr, life: Option<&str>) -> Option<(String, u64)> {
        let seconds = life?
            .trim()
            .parse()
            .ok()
            .filter(|life| (1..=LONGEST).contains(life))?;
        let number = self.given.len();
        let token = STANDARD.encode(Sha256::digest(format!("{to} {number} {}", std::process::id())));
        let ends = Instant::now() + Duration::from_secs(seconds);
        self.given.insert(token.clone(), (to, ends));
        Some((token, seconds))
    }

    /// Whether a token is good for that machine.
    pub(super) fn know(&self, token: &str, from: IpAddr) -> bool {
        let given = self.given.get(token);
        given.is_some_and(|(to, ends)| *to == from && Instant::now() < *ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_machine_and_its_time() {
        let (one, other): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let mut tokens = Tokens::default();
        for life in [None, Some(""), Some("0"), Some("21601"), Some("-1"), Some("x")] {
            assert_eq!(tokens.give(one, life), None, "{life:?}");
        }
        let (token, life) = tokens.give(one, Some("60")).unwrap();
        assert_eq!(life, 60);
        assert!(tokens.know(&token, one) && !tokens.know(&token, other) && !tokens.know("", one));
        assert_ne!(tokens.give(one, Some("60")).unwrap().0, token);
        tokens.given.get_mut(&token).unwrap().1 = Instant::now();
        assert!(!tokens.know(&token, one));
    }
}
