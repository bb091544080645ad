//! One call for many: who asks the same of one thing while a call for others is under way goes into the next call with all that
//! wait. EC2 does all of a call or nothing, so that one thing which it refuses is left out, and the rest asked for again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as Turn;
use tokio::time::Instant;

use super::failure::Failure;

/// Things that one call takes at most (`TerminateInstances`, `CreateTags` and `DeleteTags` take up to 1000).
pub(super) const BATCH: usize = 500;

/// Those who wait for the same call.
#[derive(Debug)]
pub(super) struct Crowd {
    /// Between the beginnings of two calls: the others come in the meantime.
    rhythm: Duration,
    waiting: Mutex<Waiting>,
    /// When the last call was made.
    turn: Turn<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Waiting {
    ids: BTreeSet<String>,
    refused: BTreeMap<String, Failure>,
}

impl Crowd {
    pub(super) const fn new(rhythm: Duration) -> Self {
        Self {
            rhythm,
            waiting: Mutex::new(Waiting {
                ids: BTreeSet::new(),
                refused: BTreeMap::new(),
            }),
            turn: Turn::const_new(None),
        }
    }

    /// Makes the call for these and for whoever else waits; those of these that it refused. A failure that is not about one of
    /// them is the caller's: the others ask for themselves.
    pub(super) async fn ask<F>(
        &self,
        ids: &[String],
        call: impl Fn(Vec<String>) -> F,
    ) -> Result<Vec<(String, Failure)>, Failure>
    where
        F: Future<Output = Result<(), Failure>>,
    {
        self.waiting().ids.extend(ids.iter().cloned());
        let mut last = self.turn.lock().await;
        if let Some(last) = last.filter(|_| self.waits(ids)) {
            tokio::time::sleep_until(last + self.rhythm).await;
        }
        if self.waits(ids) {
            let all: Vec<_> = self.waiting().ids.iter().cloned().collect();
            *last = Some(Instant::now());
            match in_batches(all.clone(), call).await {
                Ok(refused) => {
                    let mut waiting = self.waiting();
                    waiting.ids.retain(|id| !all.contains(id));
                    waiting.refused.extend(refused);
                }
                Err(failure) => {
                    self.waiting().ids.retain(|id| !ids.contains(id));
                    return Err(failure);
                }
            }
        }
        let mut waiting = self.waiting();
        let refused = |id: &String| Some((id.clone(), waiting.refused.remove(id)?));
        Ok(ids.iter().filter_map(refused).collect())
    }

    /// Whether nobody has asked for one of these yet.
    fn waits(&self, ids: &[String]) -> bool {
        let waiting = self.waiting();
        ids.iter().any(|id| waiting.ids.contains(id))
    }

    /// What a panic leaves behind is still good.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a call for all of these, in as few as it takes; which of them it refused. What the refusal names is left out; where it
/// names none of them, each half is asked for by itself.
///
/// # Errors
/// The first failure that is about the call, and not about one of them.
pub(super) async fn in_batches<F>(
    ids: Vec<String>,
    call: impl Fn(Vec<String>) -> F,
) -> Result<Vec<(String, Failure)>, Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let mut todo: Vec<Vec<String>> = ids.chunks(BATCH).map(<[String]>::to_vec).collect();
    let mut refused = Vec::new();
    while let Some(batch) = todo.pop() {
        let failure = match call(batch.clone()).await {
            Ok(()) => continue,
            Err(failure) if failure.is_about_one() => failure,
            Err(failure) => return Err(failure),
        };
        let words: BTreeSet<&str> = failure.message.split(|c: char| !is_of_id(c)).collect();
        let (named, rest): (Vec<_>, Vec<_>) = batch.into_iter().partition(|id| words.contains(id.as_str()));
        let with = |id| (id, failure.clone());
        match (named.is_empty(), rest.len()) {
            (false, 0) => refused.extend(named.into_iter().map(with)),
            (false, _) => {
                refused.extend(named.into_iter().map(with));
                todo.push(rest);
            }
            (true, 0) => {}
            (true, 1) => refused.extend(rest.into_iter().map(with)),
            (true, count) => todo.extend(rest.chunks(count.div_ceil(2)).map(<[String]>::to_vec)),
        }
    }
    Ok(refused)
}

/// Whether ids have such characters: `i-0123456789abcdef0`.
const fn is_of_id(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

#[cfg(test)]
mod tests {
    use super::super::failure::{Effect, Stage};
    use super::*;

    fn refusal(code: &str, message: &str) -> Failure {
        Failure {
            operation: "TerminateInstances",
            region: "us-east-1".into(),
            effect: Effect::Write,
            stage: Stage::Refused(400),
            code: code.into(),
            message: message.into(),
            request_id: None,
        }
    }

    fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
        numbers
            .into_iter()
            .map(|number| format!("i-{number:02}"))
            .collect()
    }

    /// What is asked for in each call, of things of which some are refused; whether the refusal names them.
    async fn asked(all: Vec<String>, bad: &[&str], named: bool) -> (Vec<Vec<String>>, Vec<String>) {
        let calls = Mutex::new(Vec::new());
        let call = |batch: Vec<String>| {
            calls.lock().unwrap().push(batch.clone());
            let found = batch.into_iter().find(|id| bad.contains(&id.as_str()));
            std::future::ready(found.map_or(Ok(()), |id| {
                let message = if named {
                    format!("The instance '{id}' may not.")
                } else {
                    "no".into()
                };
                Err(refusal("OperationNotPermitted", &message))
            }))
        };
        let refused = in_batches(all, call).await.unwrap();
        let refused = refused.into_iter().map(|(id, _)| id).collect();
        (calls.into_inner().unwrap(), refused)
    }

    #[tokio::test]
    async fn what_is_refused_is_left_out_and_the_rest_goes_on() {
        let all = ids(0..20);
        let (calls, refused) = asked(all.clone(), &[], true).await;
        assert_eq!((calls.len(), refused.len()), (1, 0));

        let (calls, refused) = asked(all.clone(), &["i-03", "i-17"], true).await;
        assert_eq!(refused, ["i-03", "i-17"]);
        assert_eq!(calls.len(), 3);
        assert_eq!(calls[2].len(), 18);

        // Nobody says which: it is looked for by halves.
        let (calls, mut refused) = asked(all, &["i-03", "i-17"], false).await;
        refused.sort();
        assert_eq!(refused, ["i-03", "i-17"]);
        assert!(calls.len() < 20, "{}", calls.len());
        assert_eq!(asked(ids([1]), &["i-01"], false).await.1, ["i-01"]);
        assert_eq!(asked(ids([1]), &["i-01"], true).await.1, ["i-01"]);
    }

    #[tokio::test]
    async fn a_failure_that_is_about_none_of_them_ends_it() {
        let call = |_| std::future::ready(Err(refusal("UnauthorizedOperation", "no")));
        assert_eq!(
            in_batches(ids(0..3), call).await.unwrap_err().code,
            "UnauthorizedOperation"
        );
    }

    #[tokio::test]
    async fn those_who_wait_go_together() {
        let crowd = Crowd::new(Duration::ZERO);
        let sizes = Mutex::new(Vec::new());
        let come = tokio::sync::Semaphore::new(0);
        let call = async |batch: Vec<String>| {
            let is_first = sizes.lock().unwrap().is_empty();
            sizes.lock().unwrap().push(batch.len());
            if is_first {
                // The first call is under way until all the others wait.
                let _all = come.acquire_many(9).await.unwrap();
            }
            match batch.iter().any(|id| id == "i-05") {
                true => Err(refusal("OperationNotPermitted", "The instance 'i-05' may not.")),
                false => Ok(()),
            }
        };
        let all = ids(0..10);
        let askers = all.iter().enumerate().map(async |(number, id)| {
            if number > 0 {
                come.add_permits(1);
            }
            crowd.ask(std::slice::from_ref(id), call).await.unwrap()
        });
        let refused = futures_util::future::join_all(askers).await;
        assert_eq!(*sizes.lock().unwrap(), [1, 9, 8]);
        let refused: Vec<_> = refused.into_iter().flatten().map(|(id, _)| id).collect();
        assert_eq!(refused, ["i-05"]);
    }
}
