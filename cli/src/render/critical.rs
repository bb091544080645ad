//! The critical path for people.

use std::time::Duration;

use super::duration;
use super::table::table;
use crate::views::critical::{Critical, CriticalPath};

/// What a step has to take of the whole to have a line of its own, in percent.
const WORTH_TELLING: f64 = 0.5;

/// A line for each step that took anything of note, in the order in which they waited for one another.
pub(crate) fn text(path: &CriticalPath) -> String {
    let (told, short): (Vec<&Critical>, Vec<_>) = path
        .steps
        .iter()
        .partition(|step| path.share(step) >= WORTH_TELLING);
    let took = |ms| duration::text(Duration::from_millis(ms));
    let head = format!(
        "critical path of generation {}: {} of {} in {}, each of which the next one waited for",
        path.generation,
        took(path.on_path_ms),
        took(path.duration_ms),
        count(path.steps.len(), "step"),
    );
    let rows = told.iter().map(|step| {
        let item = match (&step.item, step.item_ms) {
            (Some(item), Some(ms)) => format!("{item} ({})", took(ms)),
            _ => String::new(),
        };
        vec![
            step.step.to_string(),
            took(step.duration_ms),
            format!("{:.0} %", path.share(step)),
            item,
        ]
    });
    let mut parts = vec![head];
    if !told.is_empty() {
        parts.push(table(&["step", "took", "share", "last to end"], rows));
    }
    if !short.is_empty() {
        let together = short.iter().map(|step| step.duration_ms).sum();
        parts.push(format!(
            "and {}, {}",
            count(short.len(), "short one"),
            took(together)
        ));
    }
    parts.join("\n\n")
}

/// `1 step`, `2 steps`.
fn count(number: usize, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}

#[cfg(test)]
mod tests {
    use mesosflow_workflow::RunState;

    use super::*;
    use crate::views::chronicle::Chronicle;
    use crate::views::critical::critical_path;
    use crate::views::history::history;

    #[test]
    fn the_path_says_what_each_step_took_of_the_whole() {
        let events = &history()[..16];
        let mut chronicle = Chronicle::default();
        events.iter().for_each(|recorded| chronicle.read(recorded));
        let state = RunState::fold(events).unwrap();
        insta::assert_snapshot!(text(&critical_path(&state, &chronicle.passages[0])));
    }
}
