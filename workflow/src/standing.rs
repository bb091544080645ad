//! What the history says of a step or item that a flow is about to await: a pure function of state and input.

use serde_json::Value;

use crate::halt::{Accepted, Drift};
use crate::ids::{ItemKey, StepId};
use crate::payload::Input;
use crate::progress::{Progress, Status};
use crate::state::{Pass, RunState};

/// What the history says of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Standing {
    /// It has an outcome that counts: its output.
    Settled(Value),
    /// It has to run.
    Due {
        /// What it gave when it last succeeded.
        before: Option<Value>,
        /// Why an outcome or a beginning of it does not count any more, where the history does not say so yet.
        reopened: Option<String>,
    },
    /// This pass does not run it, and its outcome was made from another input than it would get now.
    Outdated {
        /// What it gave.
        before: Value,
        /// Whether the history does not say so yet.
        is_news: bool,
    },
    /// The replay ends before it.
    Ends,
    /// The history does not fit what this program would do.
    Drifted {
        /// In which way.
        drift: Drift,
        /// What it gave.
        before: Option<Value>,
    },
}

/// Why an outcome is out of date when something gave another output.
const SUPERSEDED: &str = "what it was made from has changed";

impl Standing {
    /// What stands in the history of `step` (or of an item of it), which would get `input` now.
    pub(crate) fn of(state: &RunState, step: &StepId, item: Option<&ItemKey>, input: &Input) -> Self {
        let Some(found) = state.step(step) else {
            return Self::drifted(step, "the run's catalogue does not have it", None, None);
        };
        let progress = found.of(item);
        match state.pass(step) {
            Pass::EndsBefore => Self::Ends,
            Pass::Looks => match progress.and_then(|p| Some((p, p.output.clone()?))) {
                // What another input than before comes from is what other runs have made of the cluster, which owes nothing for that.
                Some((progress, before))
                    if progress.status.is_valid()
                        && state.is_reshaped(progress.started)
                        && !state.is_superseded(step, progress.started) =>
                {
                    Self::Settled(before)
                }
                Some((progress, before))
                    if !progress.has_input(input) || progress.status == Status::Stale =>
                {
                    let is_news = progress.status.is_valid();
                    Self::Outdated { before, is_news }
                }
                Some((_, before)) => Self::Settled(before),
                None => Self::Ends,
            },
            Pass::Keeps => match progress.and_then(|p| p.output.clone()) {
                Some(output) => Self::Settled(output),
                // What a replay keeps is not computed: an item that other runs have added was never asked for it, and owes nothing.
                None if item.is_some() && found.gives_nothing() => Self::Settled(Value::Null),
                None if item.is_some() => Self::drifted(step, OTHER_ITEMS, None, None),
                None => Self::drifted(step, "it was skipped, and this program would run it", None, None),
            },
            Pass::Runs => Self::in_pass(state, step, item, progress, input),
        }
    }

    fn in_pass(
        state: &RunState,
        step: &StepId,
        item: Option<&ItemKey>,
        progress: Option<&Progress>,
        input: &Input,
    ) -> Self {
        let Some(progress) = progress else {
            // An item that is new to its step; the list of items tells of that.
            return Self::Due {
                before: None,
                reopened: None,
            };
        };
        let before = progress.output.clone();
        let fits = progress.has_input(input);
        match progress.status {
            Status::Succeeded if fits => Self::Settled(before.unwrap_or(Value::Null)),
            Status::Running | Status::Failed if fits => Self::Due {
                before,
                reopened: None,
            },
            Status::Pending | Status::Stale => Self::Due {
                before,
                reopened: None,
            },
            Status::Skipped => {
                let why = "it was skipped, and this program would run it";
                Self::drifted(step, why, before, Some(Accepted::RunsAgain))
            }
            // From here on it was begun or made with another input.
            _ if state.is_superseded(step, progress.started) || state.is_reshaped(progress.started) => {
                Self::Due {
                    before,
                    reopened: Some(SUPERSEDED.to_owned()),
                }
            }
            _ if input.is_list && item.is_none() => {
                Self::drifted(step, OTHER_ITEMS, before, Some(Accepted::RunsAgain))
            }
            Status::Succeeded => {
                let why = "this program computes another input for it";
                Self::drifted(step, why, before, Some(Accepted::Counts))
            }
            Status::Running | Status::Failed => {
                let why = "it was begun with another input than this program computes for it";
                Self::drifted(step, why, before, Some(Accepted::RunsAgain))
            }
        }
    }

    fn drifted(step: &StepId, why: &str, before: Option<Value>, accepted: Option<Accepted>) -> Self {
        let drift = Drift {
            step: step.clone(),
            why: why.to_owned(),
            accepted,
        };
        Self::Drifted { drift, before }
    }

    /// What follows where the user has accepted that the history does not fit.
    pub(crate) fn accepting(self) -> Self {
        match self {
            Self::Drifted {
                drift:
                    Drift {
                        accepted: Some(Accepted::Counts),
                        ..
                    },
                before: Some(output),
            } => Self::Settled(output),
            Self::Drifted {
                drift:
                    Drift {
                        why,
                        accepted: Some(_),
                        ..
                    },
                before,
            } => Self::Due {
                before,
                reopened: Some(format!("{why}; accepted")),
            },
            other => other,
        }
    }
}

const OTHER_ITEMS: &str = "it has other items than before";

impl Progress {
    /// Whether it last ran with this input.
    fn has_input(&self, input: &Input) -> bool {
        self.input_digest.as_deref() == Some(&input.digest)
    }
}

/// A step or item that is to be awaited, and what the history says of it.
pub(crate) struct Awaited<'a, S> {
    pub(crate) step: &'a S,
    pub(crate) item: Option<&'a ItemKey>,
    pub(crate) input: Input,
    pub(crate) standing: Standing,
}

impl<S> Awaited<'_, S> {
    pub(crate) fn parts(&self) -> (&S, Option<&ItemKey>, &Standing) {
        (self.step, self.item, &self.standing)
    }
}
