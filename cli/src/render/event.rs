//! One event in words.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mesosflow_workflow::{
    ErrorReport, Event, How, ItemKey, Progress, Purpose, Recorded, Renamed, RunState, Settled, StepId,
};
use serde_json::Value;

use super::duration;
use crate::text::one_line;

/// A line for `recorded`. `state` is the run's state after it, as far as it is known.
pub(crate) fn line(recorded: &Recorded, state: Option<&RunState>) -> String {
    format!("{} {}", clock(recorded.at), one_line(&words(recorded, state)))
}

/// The time of day where the user is.
pub(crate) fn clock(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string()
}

/// What happened, without the time.
pub(crate) fn words(recorded: &Recorded, state: Option<&RunState>) -> String {
    match &recorded.event {
        Event::RunStarted {
            cluster, provider, ..
        } => {
            format!("run {} started: cluster {cluster} on {provider}", recorded.run)
        }
        Event::RunAdopted {
            purpose, pid, host, ..
        } => {
            let purpose = match purpose {
                Purpose::Drive => "go on with it",
                Purpose::Close => "close it",
                Purpose::Destroy => "destroy the cluster",
            };
            format!(
                "run {} taken over by pid {pid} on {host} to {purpose}",
                recorded.run
            )
        }
        Event::StepStarted {
            step, item, attempt, ..
        } => {
            let again = if attempt.0 > 1 {
                format!(" (attempt {attempt})")
            } else {
                String::new()
            };
            format!("{} started{again}", name(step, item.as_ref()))
        }
        Event::StepSucceeded { step, item, how, .. } => {
            let took = took(state, step, item.as_ref())
                .map(|took| format!(" in {took}"))
                .unwrap_or_default();
            let how = match how {
                How::Found => " (found)",
                How::Applied => " (applied)",
                How::Items => "",
            };
            format!("{} succeeded{took}{how}", name(step, item.as_ref()))
        }
        Event::StepFailed {
            step,
            item,
            attempt,
            error,
            retry_in_ms,
        } => {
            let next = match retry_in_ms {
                Some(ms) => format!("; next attempt in {:.1} s", *ms as f64 / 1000.0),
                None => String::new(),
            };
            format!(
                "{} failed at attempt {attempt}: {}{next}",
                name(step, item.as_ref()),
                reason(error)
            )
        }
        Event::StepSkipped { step, reason } => format!("{step} skipped: {reason}"),
        Event::StepStale {
            step, item, reason, ..
        } => {
            format!("{} stale: {reason}", name(step, item.as_ref()))
        }
        Event::EffectSettled {
            step, item, settled, ..
        } => {
            let end = match settled {
                Settled::Gone => "nothing of it is left",
                Settled::Awaited => "awaited to its end",
                Settled::Ended => "ended, and seen gone",
            };
            format!("{}: an earlier try of it: {end}", name(step, item.as_ref()))
        }
        Event::CatalogueChanged {
            tool_version,
            added,
            dropped,
            renamed,
            ..
        } => catalogue_change(tool_version, added, dropped, renamed),
        Event::ResourceCreated { resource, .. } => format!("created {} {}", resource.kind, resource.name),
        Event::ResourceDeleted { resource } => format!("deleted {} {}", resource.kind, resource.name),
        Event::ReplayRequested { from, to, only, .. } => {
            let range = match to {
                _ if *only => format!("of {from} only"),
                Some(to) => format!("from {from} to {to}"),
                None => format!("from {from}"),
            };
            format!("replay {range} requested: generation {}", recorded.generation)
        }
        Event::SpecAmended { field, value, .. } if field == "without" => {
            format!("goes on without {}", value_words(value))
        }
        Event::SpecAmended { field, value, .. } => format!("{field} given anew: {}", value_words(value)),
        Event::RunInterrupted { reason: why } => format!("run interrupted: {}", reason(why)),
        Event::RunFailed { step, error } => match step {
            Some(step) => format!("run failed at {step}: {}", reason(error)),
            None => format!("run failed: {}", reason(error)),
        },
        Event::RunSucceeded => "run succeeded".to_owned(),
        Event::RunClosed { open } if open.is_empty() => "run closed".to_owned(),
        Event::RunClosed { open } => format!("run closed; steps left: {}", names(open)),
        Event::RunPartial { open } => format!("run ended; steps left: {}", names(open)),
    }
}

/// A value of the spec as people read it.
fn value_words(value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(value_words).collect::<Vec<_>>().join(", "),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn catalogue_change(version: &str, added: &[StepId], dropped: &[StepId], renamed: &[Renamed]) -> String {
    let mut parts = Vec::new();
    if !added.is_empty() {
        parts.push(format!("added, will run: {}", names(added)));
    }
    if !dropped.is_empty() {
        parts.push(format!("dropped: {}", names(dropped)));
    }
    for Renamed { from, to } in renamed {
        parts.push(format!("{from} is called {to} now"));
    }
    if parts.is_empty() {
        parts.push("another order or kind of steps".to_owned());
    }
    format!(
        "mesosflow {version} goes on with its own catalogue: {}",
        parts.join("; ")
    )
}

/// Steps, separated by commas.
pub(crate) fn names(steps: &[StepId]) -> String {
    let names: Vec<_> = steps.iter().map(StepId::as_str).collect();
    names.join(", ")
}

/// A step, with the item it is about.
pub(crate) fn name(step: &StepId, item: Option<&ItemKey>) -> String {
    match item {
        Some(item) => format!("{step} {item}"),
        None => step.to_string(),
    }
}

/// The message of an error, and the last of its causes.
pub(crate) fn reason(error: &ErrorReport) -> String {
    match error.causes.last() {
        Some(cause) => format!("{}: {cause}", error.message),
        None => error.message.clone(),
    }
}

/// Where the step or item stands.
pub(crate) fn progress<'a>(
    state: &'a RunState,
    step: &StepId,
    item: Option<&ItemKey>,
) -> Option<&'a Progress> {
    let step = state.step(step)?;
    match item {
        None => Some(&step.progress),
        Some(item) => step.items.get(item),
    }
}

fn took(state: Option<&RunState>, step: &StepId, item: Option<&ItemKey>) -> Option<String> {
    let state = state?;
    state.took(progress(state, step, item)?).map(duration::text)
}
