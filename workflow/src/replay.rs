//! What is asked of a new generation.

use serde::{Deserialize, Serialize};

use crate::ids::StepId;

/// A replay: which steps a generation runs again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// The first step to run again.
    pub from: StepId,
    /// The last one to run in this generation; none for all.
    pub to: Option<StepId>,
    /// Only `from`.
    pub only: bool,
}
