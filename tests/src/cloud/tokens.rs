//! Client tokens: EC2 launches once under each, which moto does not know.

use std::collections::HashMap;

use axum::body::Bytes;

use super::call::Call;

/// What was launched under a token.
#[derive(Debug, Clone)]
struct Launch {
    /// What was asked for, whatever the order of it.
    asked: Vec<String>,
    /// None where it was refused for want of capacity.
    answer: Option<Bytes>,
}

/// The launches so far, by token.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    launches: HashMap<String, Launch>,
}

/// What a token means for a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing yet.
    New,
    /// It is the token of another launch.
    Other,
    /// It was launched already, with this answer.
    Same(Bytes),
}

impl Tokens {
    /// The token of a call that launches under one.
    pub(super) fn of(call: &Call) -> Option<&str> {
        (call.action == "RunInstances")
            .then(|| call.value("ClientToken"))
            .flatten()
    }

    pub(super) fn known(&self, token: &str, call: &Call) -> Known {
        match self.launches.get(token) {
            None => Known::New,
            Some(launch) if launch.asked != asked(call) => Known::Other,
            Some(launch) => launch.answer.clone().map_or(Known::New, Known::Same),
        }
    }

    /// What a refusal leaves of a call: for want of capacity, EC2 remembers what was asked for.
    pub(super) fn refused(&mut self, call: &Call, code: &str) {
        let (Some(token), true) = (Self::of(call), code.contains("Capacity")) else {
            return;
        };
        self.launches.entry(token.to_owned()).or_insert_with(|| Launch {
            asked: asked(call),
            answer: None,
        });
    }

    pub(super) fn keep(&mut self, token: String, call: &Call, answer: Bytes) {
        let (asked, answer) = (asked(call), Some(answer));
        self.launches.insert(token, Launch { asked, answer });
    }
}

fn asked(call: &Call) -> Vec<String> {
    let mut values: Vec<_> = call.parameters.iter().map(|(_, value)| value.clone()).collect();
    values.sort();
    values
}

/// Ids of the instances that an answer tells of.
pub(super) fn instances(answer: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(answer);
    let parts = text.split("<instanceId>").skip(1);
    parts
        .filter_map(|part| Some(part.split_once('<')?.0.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_one_launch() {
        let call = |form: &str| Call::parse(form.as_bytes());
        let first = call("Action=RunInstances&ClientToken=t&ImageId=a&Tag.1=x&Tag.2=y");
        let mut tokens = Tokens::default();
        let known = |tokens: &Tokens, call: &Call| Tokens::of(call).map(|token| tokens.known(token, call));
        assert_eq!(known(&tokens, &first), Some(Known::New));
        let answer = Bytes::from("<r><instanceId>i-1</instanceId><instanceId>i-2</instanceId></r>");
        tokens.keep("t".into(), &first, answer.clone());
        let same = call("Action=RunInstances&ImageId=a&ClientToken=t&Tag.1=y&Tag.2=x");
        assert_eq!(known(&tokens, &same), Some(Known::Same(answer.clone())));
        let other = call("Action=RunInstances&ImageId=b&ClientToken=t&Tag.1=y&Tag.2=x");
        assert_eq!(known(&tokens, &other), Some(Known::Other));
        let failed = call("Action=RunInstances&ImageId=a&ClientToken=f");
        tokens.refused(&failed, "InsufficientInstanceCapacity");
        assert_eq!(known(&tokens, &failed), Some(Known::New));
        let changed = call("Action=RunInstances&ImageId=b&ClientToken=f");
        assert_eq!(known(&tokens, &changed), Some(Known::Other));
        assert_eq!(known(&tokens, &call("Action=RunInstances&ImageId=a")), None);
        assert_eq!(known(&tokens, &call("Action=CreateVpc&ClientToken=t")), None);
        assert_eq!(instances(&answer), ["i-1", "i-2"]);
    }
}
