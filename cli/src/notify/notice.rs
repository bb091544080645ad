//! What is told.

use std::sync::Arc;

/// What is told of a run's end.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    pub(crate) run: String,
    pub(crate) cluster: String,
    pub(crate) workflow: String,
    /// As `status` has it.
    pub(crate) state: &'static str,
    /// What `status --json` says.
    pub(crate) document: Arc<[u8]>,
}
