//! Ending what no journal knows of: by nothing but the tags that it carries.

use std::collections::BTreeSet;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use mesosflow_workflow::Resource;

use crate::destroy::{DestroyError, Failures, Patience};
use crate::provider::{Deletion, Provider, Tagged, kinds};

/// Which of all that carries mesosflow's tags is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphans {
    /// The runs by whose tags it is known; what else comes to carry them meanwhile is meant too.
    pub runs: BTreeSet<String>,
}

impl Orphans {
    fn has(&self, tagged: &Tagged) -> bool {
        self.runs.contains(&tagged.run)
    }
}

/// Deletes everything that is meant, machines before what they live in, until the provider shows nothing of it. No node is asked
/// whether somebody drives it: who calls this knows that nobody does. `observe` is told of each deletion.
///
/// # Errors
/// The provider fails, or something stays.
pub async fn end_orphans(
    provider: &dyn Provider,
    orphans: &Orphans,
    observe: &mut (dyn FnMut(&Resource) + Send),
) -> Result<(), DestroyError> {
    let mut patience = Patience::default();
    loop {
        let all = provider.tagged().await?;
        let todo: Vec<_> = all
            .iter()
            .filter(|tagged| orphans.has(tagged))
            .map(Tagged::resource)
            .collect();
        if todo.is_empty() {
            return Ok(());
        }
        let mut has_progressed = false;
        let error = match end_all(provider, todo.clone(), observe, &mut has_progressed).await {
            Ok(()) => DestroyError::Left(todo),
            Err(error) if error.may_pass() => error,
            Err(error) => return Err(error),
        };
        tracing::info!(%error, "looks again for what is left");
        tokio::time::sleep(patience.after(error, has_progressed)?).await;
    }
}

async fn end_all(
    provider: &dyn Provider,
    todo: Vec<Resource>,
    observe: &mut (dyn FnMut(&Resource) + Send),
    has_progressed: &mut bool,
) -> Result<(), DestroyError> {
    provider.release(&todo).await?;
    let mut failures = Failures::default();
    for alike in kinds(todo) {
        let mut ending: FuturesUnordered<_> = failures
            .free(alike)
            .into_iter()
            .map(|resource| async move { (provider.delete(&resource).await, resource) })
            .collect();
        let mut failed = Vec::new();
        while let Some((ended, resource)) = ending.next().await {
            match ended {
                Ok(Deletion::Gone) => {
                    *has_progressed = true;
                    observe(&resource);
                }
                Ok(Deletion::Left) => {}
                Ok(Deletion::Held(what)) => failed.push((resource, DestroyError::Held(what))),
                Err(error) => failed.push((resource, error.into())),
            }
        }
        failures.take(provider, failed).await?;
    }
    failures.end()
}
