//! `events --json`: what happened, and what must never happen.

use std::collections::BTreeSet;

use serde_json::Value;

/// All events of a run, in order.
#[derive(Debug)]
pub struct History {
    events: Vec<Value>,
}

/// A step or item, in a generation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Started {
    /// The generation.
    pub generation: u64,
    /// The step.
    pub step: String,
    /// The item, in a fan-out.
    pub item: Option<String>,
}

impl Started {
    fn of(event: &Value) -> Self {
        Self {
            generation: event["generation"].as_u64().unwrap_or_default(),
            step: event["step"].as_str().unwrap_or_default().to_owned(),
            item: event["item"].as_str().map(str::to_owned),
        }
    }
}

impl History {
    pub(crate) fn new(events: Vec<Value>) -> Self {
        Self { events }
    }

    /// All of them.
    pub fn events(&self) -> &[Value] {
        &self.events
    }

    /// Those of one kind, in one generation.
    pub fn of<'h>(&'h self, kind: &'h str, generation: u64) -> impl Iterator<Item = &'h Value> {
        self.events
            .iter()
            .filter(move |event| event["kind"] == kind && event["generation"] == generation)
    }

    /// Those about other items than `item`, in one generation.
    #[must_use]
    pub fn of_other_items(&self, generation: u64, item: &str) -> Self {
        let is_other = |event: &&Value| {
            event["generation"] == generation && event["item"].as_str().is_some_and(|other| other != item)
        };
        Self::new(self.events.iter().filter(is_other).cloned().collect())
    }

    /// Steps that were started in a generation.
    pub fn started_steps(&self, generation: u64) -> BTreeSet<String> {
        self.of("step_started", generation)
            .map(|event| Started::of(event).step)
            .collect()
    }

    /// Whether a step has its outcome in a generation.
    pub fn has_outcome(&self, generation: u64, step: &str) -> bool {
        let outcomes = ["step_succeeded", "step_skipped"]
            .into_iter()
            .flat_map(|kind| self.of(kind, generation));
        outcomes
            .into_iter()
            .any(|event| event["step"] == step && event["item"].is_null())
    }

    /// Asserts the shape that every event has, and that they are numbered without a gap.
    ///
    /// # Panics
    /// One is otherwise.
    #[track_caller]
    pub fn assert_well_formed(&self) {
        for (number, event) in (1..).zip(&self.events) {
            assert_eq!(event["seq"], number, "a gap before {event}");
            for key in ["run", "at", "kind"] {
                assert!(event[key].is_string(), "`{key}` is missing in {event}");
            }
            assert!(
                event["at"].as_str().is_some_and(|at| at.ends_with('Z')),
                "no UTC time in {event}"
            );
            assert!(event["generation"].is_u64(), "`generation` is missing in {event}");
        }
    }

    /// Asserts that nothing which had succeeded was ever started again in its generation, be it a step or an item.
    ///
    /// # Panics
    /// Something was.
    #[track_caller]
    pub fn assert_nothing_done_twice(&self) {
        let mut done = BTreeSet::new();
        for event in &self.events {
            let subject = Started::of(event);
            match event["kind"].as_str() {
                Some("step_started") => {
                    assert!(
                        !done.contains(&subject),
                        "started although it had succeeded: {event}"
                    );
                }
                Some("step_succeeded" | "step_skipped") => {
                    assert!(done.insert(subject), "succeeded twice: {event}");
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, generation: u64, item: Option<&str>) -> Value {
        json!({"kind": kind, "generation": generation, "step": "setup-nodes", "item": item})
    }

    #[test]
    fn a_retry_another_item_and_another_generation_are_not_done_twice() {
        let events = vec![
            event("step_started", 1, None),
            event("step_started", 1, Some("a")),
            event("step_failed", 1, Some("a")),
            event("step_started", 1, Some("a")),
            event("step_succeeded", 1, Some("a")),
            event("step_started", 1, Some("b")),
            event("step_started", 1, None),
            event("step_started", 2, Some("a")),
        ];
        History::new(events).assert_nothing_done_twice();
    }

    #[test]
    #[should_panic(expected = "started although it had succeeded")]
    fn what_succeeded_and_was_started_again_is_noticed() {
        let events = ["step_started", "step_succeeded", "step_started"].map(|kind| event(kind, 1, Some("a")));
        History::new(events.into()).assert_nothing_done_twice();
    }
}
