//! `status --json`, read as scripts read it.

use serde_json::Value;

/// Where a run stands.
#[derive(Debug)]
pub struct Status {
    value: Value,
}

impl Status {
    pub(crate) fn new(value: Value) -> Self {
        Self { value }
    }

    /// The whole document.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// `running`, `succeeded`, `failed`, `interrupted` or `crashed`.
    #[track_caller]
    pub fn state(&self) -> &str {
        text(&self.value, "state")
    }

    /// The run's generation.
    pub fn generation(&self) -> u64 {
        self.value["generation"].as_u64().unwrap_or_default()
    }

    /// The cluster's name.
    #[track_caller]
    pub fn cluster(&self) -> &str {
        text(&self.value, "cluster")
    }

    /// The cluster's id, which no other has, be it of the same name.
    #[track_caller]
    pub fn cluster_id(&self) -> &str {
        text(&self.value, "cluster_id")
    }

    /// Every step, in the catalogue's order.
    pub fn steps(&self) -> &[Value] {
        self.value["steps"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// One step.
    ///
    /// # Panics
    /// There is none of that id.
    #[track_caller]
    pub fn step(&self, id: &str) -> &Value {
        let found = self.steps().iter().find(|step| step["id"] == id);
        match found {
            Some(step) => step,
            None => panic!("status has no step `{id}`"),
        }
    }

    /// The place of a step in the catalogue.
    ///
    /// # Panics
    /// There is none of that id.
    #[track_caller]
    pub fn place(&self, id: &str) -> usize {
        match self.steps().iter().position(|step| step["id"] == id) {
            Some(place) => place,
            None => panic!("status has no step `{id}`"),
        }
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Value] {
        self.value["nodes"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// Asserts that the run succeeded, and every step with it or was skipped for a reason.
    ///
    /// # Panics
    /// It is not so.
    #[track_caller]
    pub fn all_done(&self) {
        assert_eq!(self.state(), "succeeded", "{:#}", self.value);
        assert!(self.steps().len() >= 36, "only {} steps", self.steps().len());
        for step in self.steps() {
            let is_done = match text(step, "state") {
                "succeeded" => true,
                "skipped" => step["reason"].as_str().is_some_and(|reason| !reason.is_empty()),
                _ => false,
            };
            assert!(is_done, "not done: {step:#}");
        }
    }
}

#[track_caller]
fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    match value[key].as_str() {
        Some(text) => text,
        None => panic!("`{key}` is no text in {value:#}"),
    }
}
