//! Why a flow ends before its last line.

use crate::error::{ErrorClass, ErrorReport};
use crate::ids::{ItemKey, StepId};
use crate::record::RecordError;

/// What accepting a drift does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// The recorded outcome counts all the same.
    Counts,
    /// There is no outcome that could count: it runs, or is skipped, as this program would have it.
    RunsAgain,
}

/// A step whose history does not fit what this program would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The step.
    pub step: StepId,
    /// In which way.
    pub why: String,
    /// What going on all the same would do; none where there is no such way.
    pub accepted: Option<Accepted>,
}

/// Why a flow cannot go on; it travels up through `?`.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Halt {
    /// A replay has reached its last step: not an error.
    #[error("the replay has reached its last step")]
    EndOfReplay,
    /// Nothing new may start: a stop was requested, or another step failed.
    #[error("stopped")]
    Stopped,
    /// The history does not fit what this program would do.
    #[error("step `{}` has drifted: {}", .0.step, .0.why)]
    Drift(Drift),
    /// A step failed for good.
    #[error("step `{step}` failed: {}", error.message)]
    Failed {
        /// The step.
        step: StepId,
        /// Why.
        error: ErrorReport,
    },
    /// The journal failed; nothing more may happen.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Halt {
    /// How much one matters beside another when several branches of a flow end.
    pub(crate) const fn rank(&self) -> u8 {
        match self {
            Self::EndOfReplay => 0,
            Self::Stopped => 1,
            Self::Drift(_) => 2,
            // What a person can put right must not hide a failure that cannot.
            Self::Failed { error, .. } if matches!(error.class, ErrorClass::Operator) => 3,
            Self::Failed { error, .. } if matches!(error.class, ErrorClass::Fenced) => 5,
            Self::Failed { .. } => 4,
            Self::Record(_) => 6,
        }
    }
}

/// Results of joined branches, which all have ended: their values, or the halt that matters most.
///
/// A flow joins with `tokio::join!`, never `try_join!`: a branch that fails must not cut the others off in the middle of
/// a step.
pub trait Settle {
    /// The values.
    type Values;

    /// All the values, or the weightiest halt.
    ///
    /// # Errors
    /// The halt that matters most.
    fn settle(self) -> Result<Self::Values, Halt>;
}

macro_rules! settle_tuple {
    ($($name:ident $index:tt),+) => {
        impl<$($name),+> Settle for ($(Result<$name, Halt>,)+) {
            type Values = ($($name,)+);

            fn settle(self) -> Result<Self::Values, Halt> {
                let ranks = [$(self.$index.as_ref().err().map(Halt::rank)),+];
                match ranks.into_iter().flatten().max() {
                    None => Ok(($(self.$index?,)+)),
                    Some(worst) => {
                        $(if let Err(halt) = self.$index && halt.rank() == worst { return Err(halt); })+
                        Err(Halt::Stopped)
                    }
                }
            }
        }
    };
}

settle_tuple!(A 0, B 1);
settle_tuple!(A 0, B 1, C 2);
settle_tuple!(A 0, B 1, C 2, D 3);
settle_tuple!(A 0, B 1, C 2, D 3, E 4);

/// One report for the failed items of a fan-out; none where none failed.
pub(crate) fn summary(failed: &[(&ItemKey, Halt)], total: usize) -> Option<ErrorReport> {
    failed.first()?;
    let reports: Vec<_> = failed
        .iter()
        .filter_map(|(key, halt)| match halt {
            Halt::Failed { error, .. } => Some((*key, error)),
            _ => None,
        })
        .collect();
    let Some((_, worst)) = reports.iter().rev().max_by_key(|(_, error)| error.class.rank()) else {
        return Some(ErrorReport::new(
            ErrorClass::Ambiguous,
            "stopped before every item had run",
        ));
    };
    let names: Vec<_> = reports.iter().map(|(key, _)| key.as_str()).collect();
    let message = format!("failed on {} of {total}: {}", reports.len(), names.join(", "));
    let mut causes = Vec::new();
    for (key, error) in &reports {
        causes.push(format!("{key}: {}", error.message));
        causes.extend(error.causes.iter().cloned());
    }
    Some(ErrorReport {
        class: worst.class,
        message,
        causes,
        hint: hints(&reports),
    })
}

/// The way out for each failed item, a line for each way: one alone as it is, several with the items that they are for.
fn hints(reports: &[(&ItemKey, &ErrorReport)]) -> Option<String> {
    let mut ways: Vec<(&str, Vec<&str>)> = Vec::new();
    for (key, error) in reports {
        let Some(hint) = &error.hint else {
            continue;
        };
        match ways.iter_mut().find(|(way, _)| way == hint) {
            Some((_, items)) => items.push(key.as_str()),
            None => ways.push((hint, vec![key.as_str()])),
        }
    }
    let lines: Vec<_> = match &ways[..] {
        [] => return None,
        [(way, items)] if items.len() == reports.len() => vec![(*way).to_owned()],
        ways => ways
            .iter()
            .map(|(way, items)| format!("{}: {way}", items.join(", ")))
            .collect(),
    };
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_outweighs_the_stop_that_it_caused_elsewhere() {
        let failed = Halt::Failed {
            step: StepId::from_static("b"),
            error: ErrorReport::new(ErrorClass::Permanent, "no"),
        };
        let branches: (Result<(), _>, Result<(), _>, Result<u8, Halt>) =
            (Err(Halt::Stopped), Err(failed), Ok(1));
        assert!(matches!(branches.settle(), Err(Halt::Failed { .. })));
        assert_eq!((Ok::<_, Halt>(1), Ok::<_, Halt>("x")).settle().unwrap(), (1, "x"));
    }

    #[test]
    fn each_failed_item_keeps_its_own_way_out() {
        let halt = |class, hint: Option<&str>| Halt::Failed {
            step: StepId::from_static("a"),
            error: ErrorReport {
                hint: hint.map(str::to_owned),
                ..ErrorReport::new(class, "no")
            },
        };
        let keys = ["n1", "n2", "n3"].map(ItemKey::from);
        let hint = |halts: &[Halt]| {
            let failed: Vec<_> = keys.iter().zip(halts.iter().cloned()).collect();
            summary(&failed, 3).and_then(|report| report.hint)
        };
        let (start, renew) = (Some("start it"), Some("renew"));
        let stopped = halt(ErrorClass::Operator, start);
        let refused = halt(ErrorClass::Permanent, renew);
        let dumb = halt(ErrorClass::Permanent, None);
        assert_eq!(hint(&[stopped.clone(), stopped.clone()]).as_deref(), start);
        assert_eq!(hint(std::slice::from_ref(&dumb)), None);
        assert_eq!(
            hint(&[stopped.clone(), refused, stopped.clone()]).as_deref(),
            Some("n1, n3: start it\nn2: renew")
        );
        assert_eq!(hint(&[stopped, dumb]).as_deref(), Some("n1: start it"));
    }
}
