//! Harm that is done to calls, as a table: which calls of which action, and what happens to them.

use std::sync::Arc;
use std::time::Duration;

use super::call::Call;
use super::gate::Gate;

/// Which of the calls that match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// That many, from the first one on.
    First(usize),
    /// The one of that number; the first has number 1.
    Nth(usize),
    /// All.
    All,
}

/// What happens to a call.
#[derive(Debug, Clone)]
pub enum What {
    /// It is refused in EC2's words, and nothing is done.
    Refuse {
        /// The status of HTTP, as 503.
        status: u16,
        /// EC2's code, as `RequestLimitExceeded`.
        code: &'static str,
        /// The message for people.
        message: &'static str,
    },
    /// The connection is closed; nothing is done.
    DropBefore,
    /// It is done, and the connection is closed without an answer.
    DropAfter,
    /// It is done, and the answer is 500 `InternalError`.
    ServerErrorAfter,
    /// It is done at once, and answered later.
    DelayAnswer(Duration),
    /// It is done, and the answer is another one.
    Rewrite(fn(&str) -> String),
    #[doc(hidden)]
    Hold(Arc<Gate>),
}

impl What {
    /// Too many calls in too short a time, as EC2 says it.
    pub const TOO_MANY: Self = Self::Refuse {
        status: 503,
        code: "RequestLimitExceeded",
        message: "Request limit exceeded.",
    };
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Fault {
    action: &'static str,
    which: Which,
    only: Option<(String, String)>,
    what: What,
}

impl Fault {
    /// A rule for the calls of an action.
    pub fn new(action: &'static str, which: Which, what: What) -> Self {
        Self {
            action,
            which,
            only: None,
            what,
        }
    }

    /// Too many calls in too short a time.
    pub fn throttled(action: &'static str, which: Which) -> Self {
        Self::new(action, which, What::TOO_MANY)
    }

    /// A refusal.
    pub fn refused(
        action: &'static str,
        which: Which,
        status: u16,
        code: &'static str,
        message: &'static str,
    ) -> Self {
        Self::new(
            action,
            which,
            What::Refuse {
                status,
                code,
                message,
            },
        )
    }

    /// The rule, for those calls only that have a parameter of that value, or a tag: `only_if("InstanceType", "m5d.large")`,
    /// `only_if("mesosflow:role", "slave")`. Others are not counted.
    #[must_use]
    pub fn only_if(mut self, parameter: &str, value: &str) -> Self {
        self.only = Some((parameter.to_owned(), value.to_owned()));
        self
    }

    fn matches(&self, call: &Call) -> bool {
        let is_named = self.action == call.action;
        is_named
            && self.only.as_ref().is_none_or(|(name, value)| {
                call.value(name) == Some(value.as_str()) || call.tag(name) == Some(value.as_str())
            })
    }
}

/// All rules, and how often each one has matched.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Vec<(Fault, usize)>,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.rules.push((fault, 0));
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// What happens to a call: the first rule decides that has something for it.
    pub(super) fn of(&mut self, call: &Call) -> Option<What> {
        let mut chosen = None;
        for (fault, count) in &mut self.rules {
            if !fault.matches(call) {
                continue;
            }
            *count += 1;
            let is_due = match fault.which {
                Which::First(number) => *count <= number,
                Which::Nth(number) => *count == number,
                Which::All => true,
            };
            if is_due && chosen.is_none() {
                chosen = Some(fault.what.clone());
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_count_the_calls_they_are_about() {
        let mut faults = Faults::default();
        faults.add(Fault::new("Run", Which::Nth(2), What::DropAfter).only_if("Type", "a"));
        faults.add(Fault::new("Run", Which::First(2), What::DropBefore));
        let mut of = |form: &[u8]| match faults.of(&Call::parse(form)) {
            Some(What::DropAfter) => "after",
            Some(What::DropBefore) => "before",
            Some(other) => panic!("{other:?}"),
            None => "-",
        };
        assert_eq!(of(b"Action=Run&Type=b"), "before");
        assert_eq!(of(b"Action=Stop&Type=a"), "-");
        assert_eq!(of(b"Action=Run&Type=a"), "before");
        assert_eq!(of(b"Action=Run&Type=a"), "after");
        assert_eq!(of(b"Action=Run&Type=a"), "-");
    }
}
