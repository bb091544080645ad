//! Progress on a terminal: a line for each running step, finished ones scroll by.

use std::collections::BTreeMap;
use std::time::Duration;

use console::style;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use mesosflow_workflow::{Event, Recorded, RunState, Status, StepId, StepState};

use super::show::Show;
use super::{duration, event};
use crate::text::one_line;

/// How often the running lines move.
const TICK: Duration = Duration::from_millis(120);
/// How many running items a line names.
const NAMED_ITEMS: usize = 3;

/// Draws on standard error.
pub(crate) struct Live {
    screen: MultiProgress,
    running: BTreeMap<StepId, Line>,
}

/// The line of a running step.
struct Line {
    bar: ProgressBar,
    /// What went wrong last, until the next attempt.
    trouble: Option<String>,
}

impl Live {
    /// Shows progress with moving lines.
    pub(crate) fn new() -> Self {
        Self {
            screen: MultiProgress::new(),
            running: BTreeMap::new(),
        }
    }

    fn scroll(&self, text: &str) {
        let _drawn = self.screen.println(text);
    }

    fn start(&mut self, step: &StepId, items: Option<u64>) {
        let template = match items {
            Some(_) => "{spinner} {prefix:<24} {pos:>3}/{len:<3} {elapsed:>4}  {wide_msg}",
            None => "{spinner} {prefix:<24}         {elapsed:>4}  {wide_msg}",
        };
        let look =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = self.screen.add(ProgressBar::new(items.unwrap_or(0)));
        bar.set_style(look);
        bar.set_prefix(step.to_string());
        bar.enable_steady_tick(TICK);
        if let Some(old) = self.running.insert(step.clone(), Line { bar, trouble: None }) {
            old.bar.finish_and_clear();
        }
    }

    fn end_step(&mut self, step: &StepId) {
        if let Some(line) = self.running.remove(step) {
            line.bar.finish_and_clear();
            self.screen.remove(&line.bar);
        }
    }

    /// Brings the line of a step up to date.
    fn update(&mut self, state: &StepState) {
        let Some(line) = self.running.get_mut(&state.entry.id) else {
            return;
        };
        let (done, message) = items(state);
        line.bar.set_position(done);
        line.bar
            .set_message(line.trouble.clone().unwrap_or_else(|| one_line(&message)));
    }
}

impl Show for Live {
    fn event(&mut self, recorded: &Recorded, state: Option<&RunState>) {
        let known = recorded.event.step().and_then(|step| state?.step(step));
        match &recorded.event {
            Event::StepStarted {
                step,
                item: None,
                input,
                ..
            } => {
                let fans_out = known.is_some_and(|known| known.entry.fans_out_over.is_some());
                let items = input
                    .get("items")
                    .and_then(|items| items.as_array())
                    .filter(|_| fans_out);
                self.start(step, items.map(|items| items.len() as u64));
            }
            Event::StepStarted {
                step, item: Some(_), ..
            } => {
                if let Some(line) = self.running.get_mut(step) {
                    line.trouble = None;
                }
            }
            Event::StepSucceeded { step, item: None, .. } => {
                self.end_step(step);
                let took = known.and_then(|known| state?.took(&known.progress));
                let took = took.map(duration::short);
                self.scroll(&format!(
                    "{} {step:<24}  {}",
                    style("✓").green(),
                    took.unwrap_or_default()
                ));
            }
            Event::StepFailed {
                step,
                item,
                error,
                retry_in_ms,
                ..
            } => {
                let what = format!("{}: {}", event::name(step, item.as_ref()), event::reason(error));
                match retry_in_ms {
                    Some(_) => {
                        if let Some(line) = self.running.get_mut(step) {
                            line.trouble = Some(format!("trying again: {}", one_line(&event::reason(error))));
                        }
                    }
                    None => self.scroll(&format!("{} {}", style("✗").red(), one_line(&what))),
                }
                if item.is_none() && retry_in_ms.is_none() {
                    self.end_step(step);
                }
            }
            Event::StepSkipped { step, reason } => {
                self.scroll(&format!(
                    "{} {step:<24}  skipped: {}",
                    style("-").dim(),
                    one_line(reason)
                ));
            }
            Event::RunInterrupted { .. }
            | Event::RunFailed { .. }
            | Event::RunSucceeded
            | Event::RunPartial { .. }
            | Event::RunClosed { .. } => self.end(),
            // Rare, and each a reason for what runs next.
            Event::CatalogueChanged { .. } | Event::EffectSettled { .. } | Event::SpecAmended { .. } => {
                self.scroll(&one_line(&event::line(recorded, state)));
            }
            Event::ResourceDeleted { resource } => {
                self.scroll(&format!(
                    "{} deleted {} {}",
                    style("✓").green(),
                    resource.kind,
                    one_line(&resource.name)
                ));
            }
            Event::RunStarted { .. }
            | Event::RunAdopted { .. }
            | Event::ResourceCreated { .. }
            | Event::ReplayRequested { .. }
            | Event::StepStale { .. }
            | Event::StepSucceeded { item: Some(_), .. } => {}
        }
        if let Some(known) = known {
            self.update(known);
        }
    }

    fn say(&mut self, text: &str) {
        self.scroll(&one_line(text));
    }

    fn end(&mut self) {
        for (_, line) in std::mem::take(&mut self.running) {
            line.bar.finish_and_clear();
        }
    }
}

/// How many items are done, and the names of some that run.
fn items(state: &StepState) -> (u64, String) {
    let of = |status| move |(_, item): &(_, &mesosflow_workflow::Progress)| item.status == status;
    let done = state.items.iter().filter(of(Status::Succeeded)).count();
    let running: Vec<_> = state
        .items
        .iter()
        .filter(of(Status::Running))
        .map(|(key, _)| key.as_str())
        .collect();
    let mut names = running
        .iter()
        .take(NAMED_ITEMS)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if running.len() > NAMED_ITEMS {
        names.push_str(", …");
    }
    (done as u64, names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::history::history;

    #[test]
    fn every_event_of_a_history_can_be_shown_and_no_line_stays() {
        let mut live = Live::new();
        live.screen
            .set_draw_target(indicatif::ProgressDrawTarget::hidden());
        let mut state: Option<RunState> = None;
        let mut most = 0;
        for recorded in history() {
            match &mut state {
                Some(state) => state.apply(&recorded).unwrap(),
                None => state = Some(RunState::begin(&recorded).unwrap()),
            }
            live.event(&recorded, state.as_ref());
            most = most.max(live.running.len());
            if let Some(line) = live.running.get(&StepId::from("await-nodes")) {
                assert_eq!(line.bar.length(), Some(2));
            }
        }
        assert_eq!(most, 1);
        live.end();
        assert!(live.running.is_empty());
    }
}
