//! Plans of workflows, for people.

use super::table::table;
use crate::wiring::PlannedStep;

/// The steps of a plan, a line for each.
pub(crate) fn steps(steps: &[PlannedStep]) -> String {
    let line = |step: &PlannedStep| {
        let reason = step.reason.as_deref();
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        vec![
            step.id.clone(),
            step.notes.clone(),
            step.title.clone(),
            format!("{}{reason}", step.action),
        ]
    };
    table(&["step", "notes", "does", "plan"], steps.iter().map(line))
}
