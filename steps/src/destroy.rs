//! Taking a cluster down: what the journal says was created, and what carries the run's tags without having reached it.

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use mesosflow_workflow::{Effect, Epoch, RecordError, Resource, StepCx};
use tokio::time::Instant;

use crate::in_doubt::{InDoubt, Pauses};
use crate::provider::{Deletion, ProviderError, kinds};
use crate::remote::RemoteError;
use crate::world::World;

/// What was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destroyed {
    /// In the order of deletion.
    pub deleted: Vec<Resource>,
}

/// A cluster cannot be taken down entirely; what was deleted is in the journal, and another try goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum DestroyError {
    /// The provider refused or failed.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The journal failed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Somebody else has made machines under this cluster's name.
    #[error("a machine was made by a driver of epoch {epoch}, whom this journal does not know")]
    Stranger {
        /// That driver's epoch.
        epoch: Epoch,
    },
    /// Another driver has taken the cluster over.
    #[error(transparent)]
    Fenced(#[from] RemoteError),
    /// Something is held by what nobody has seen yet.
    #[error("{0}")]
    Held(String),
    /// Several things stay that trying again does not help.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Several(Vec<Self>),
    /// The provider says that all was deleted, and still has it.
    #[error("still there after all was deleted: {}", .0.iter().map(|r| r.name.as_str()).collect::<Vec<_>>().join(", "))]
    Left(Vec<Resource>),
}

impl DestroyError {
    /// Whether going through everything again may help.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Provider(error) => error.class.is_retryable(),
            Self::Held(_) | Self::Left(_) => true,
            Self::Record(_) | Self::Stranger { .. } | Self::Fenced(_) | Self::Several(_) => false,
        }
    }

    /// Each failure by itself.
    pub fn each(&self) -> &[Self] {
        match self {
            Self::Several(all) => all,
            one => std::slice::from_ref(one),
        }
    }

    /// What counts of failures that came at once: that the cluster is somebody else's, before what only a person can help (each
    /// of these), before what may pass.
    pub(crate) fn of(failed: Vec<Self>) -> Result<(), Self> {
        let (mut lasting, mut passing) = (Vec::new(), None);
        for error in failed {
            match error {
                Self::Provider(_) if !error.may_pass() => lasting.push(error),
                _ if error.may_pass() => passing = Some(error),
                _ => return Err(error),
            }
        }
        match lasting.len() {
            0 => passing.map_or(Ok(()), Err),
            1 => lasting.pop().map_or(Ok(()), Err),
            _ => Err(Self::Several(lasting)),
        }
    }
}

/// How often everything is gone through where a call fails that may work later.
const ROUNDS: u32 = 5;
/// How long a provider may hold on to what a machine used after nothing of that machine is seen any more.
const RELEASE_LIMIT: Duration = Duration::from_secs(300);
/// How often it is said again what is waited for.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// What is known of what has to be deleted, and who is told that it is gone.
pub enum Ledger<'a> {
    /// A step of the run that deletes it.
    Step {
        /// The step.
        cx: &'a StepCx<World>,
        /// What existed when the run began.
        known: &'a [Resource],
        /// The effects that were in doubt then.
        effects: &'a [Effect],
    },
    /// What could be read of a damaged history, which takes no more events.
    Salvaged {
        /// What exists by it.
        resources: Vec<Resource>,
        /// Its effects in doubt.
        effects: Vec<Effect>,
    },
}

impl Ledger<'_> {
    fn resources(&self) -> Vec<Resource> {
        match self {
            Self::Step { cx, known, .. } => {
                let is_there = |resource: &&Resource| !cx.has_deleted(resource);
                known.iter().filter(is_there).cloned().collect()
            }
            Self::Salvaged { resources, .. } => resources.clone(),
        }
    }

    fn effects(&self) -> Vec<Effect> {
        match self {
            Self::Step { effects, .. } => effects.to_vec(),
            Self::Salvaged { effects, .. } => effects.clone(),
        }
    }

    async fn deleted(&self, resource: &Resource) -> Result<(), RecordError> {
        match self {
            Self::Step { cx, .. } => cx.deleted(resource.clone()).await,
            Self::Salvaged { .. } => Ok(()),
        }
    }
}

/// Deletes everything that the run created, machines before what they live in; repeatable, and done only when the
/// provider has nothing left that carries the run's tags, and no launch can still bring a machine. `observe` is told of each
/// that is the run's no more, once that is recorded.
///
/// # Errors
/// The provider or the journal fails, or something stays.
pub async fn destroy(
    ledger: &Ledger<'_>,
    world: &World,
    observe: &mut (dyn FnMut(&Resource) + Send),
) -> Result<Destroyed, DestroyError> {
    let provider = world.provider();
    let mut doubts = InDoubt::of(ledger.effects(), provider.settle_time());
    let mut deleted = Vec::new();
    let (mut patience, mut pauses, mut said) = (Patience::default(), Pauses::default(), None);
    loop {
        let before = deleted.len();
        let error = match delete_all(ledger, world, &mut doubts, observe, &mut deleted).await {
            Ok(()) => {
                let left = provider.owned(world.owner()).await?;
                if left.is_empty() {
                    doubts.settled();
                    world.wait_for(doubts.waits_for());
                    let (Some(due), Some(what)) = (doubts.due_in(), world.waits_for()) else {
                        return Ok(Destroyed { deleted });
                    };
                    let now = Instant::now();
                    if said.is_none_or(|said| now.duration_since(said) >= SAY_EVERY) {
                        tracing::info!(target: "mesosflow::progress", "{what}");
                        said = Some(now);
                    }
                    tokio::time::sleep(pauses.next().min(due)).await;
                    continue;
                }
                DestroyError::Left(left)
            }
            Err(error) if error.may_pass() => error,
            Err(error) => return Err(error),
        };
        tracing::info!(%error, "looks again for what is left");
        tokio::time::sleep(patience.after(error, deleted.len() > before)?).await;
    }
}

/// How much longer something is tried again.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    rounds: u32,
    pauses: Pauses,
    /// Since when nothing has gone any more.
    since: Option<Instant>,
}

impl Patience {
    /// The pause before everything is gone through again, after an error that may pass; the error itself, once that is over.
    pub(crate) fn after(
        &mut self,
        error: DestroyError,
        has_progressed: bool,
    ) -> Result<Duration, DestroyError> {
        if has_progressed {
            *self = Self::default();
        }
        self.rounds += 1;
        let since = *self.since.get_or_insert_with(Instant::now);
        let is_over = match &error {
            DestroyError::Held(_) => since.elapsed() >= RELEASE_LIMIT,
            _ => self.rounds >= ROUNDS,
        };
        match is_over {
            true => Err(error),
            false => Ok(self.pauses.next()),
        }
    }
}

/// Deletes a resource, if nobody else drives the cluster by now; whether it is gone, and not left to whose it is.
async fn delete(world: &World, resource: &Resource) -> Result<bool, DestroyError> {
    world.guard().await?;
    match world.provider().delete(resource).await? {
        Deletion::Gone => {
            world.gone(&resource.id);
            Ok(true)
        }
        Deletion::Left => Ok(false),
        Deletion::Held(what) => Err(DestroyError::Held(what)),
    }
}

async fn delete_all(
    ledger: &Ledger<'_>,
    world: &World,
    doubts: &mut InDoubt,
    observe: &mut (dyn FnMut(&Resource) + Send),
    deleted: &mut Vec<Resource>,
) -> Result<(), DestroyError> {
    let provider = world.provider();
    world.guard().await?;
    // What is found anew in each round may be somebody else's by now: nodes that this driver has deleted say nothing of that.
    let launched = doubts.look(provider, deleted).await?;
    let mut makers = world.makers().await?;
    makers.extend(launched.iter().filter_map(|found| found.driver));
    if let Some(stranger) = makers.iter().find(|maker| !world.knows(maker)) {
        let epoch = stranger.epoch;
        return Err(DestroyError::Stranger { epoch });
    }
    let mut todo = provider.owned(world.owner()).await?;
    let launched = launched.into_iter().map(|found| found.resource);
    for known in ledger.resources().into_iter().chain(launched) {
        if !todo
            .iter()
            .any(|found| (&found.kind, &found.id) == (&known.kind, &known.id))
        {
            todo.push(known);
        }
    }
    provider.release(&todo).await?;
    for alike in kinds(todo) {
        let mut ending: FuturesUnordered<_> = alike
            .into_iter()
            .map(|resource| async move { (delete(world, &resource).await, resource) })
            .collect();
        let mut failed = Vec::new();
        while let Some((ended, resource)) = ending.next().await {
            match ended {
                Ok(is_gone) => {
                    ledger.deleted(&resource).await?;
                    observe(&resource);
                    deleted.extend(is_gone.then_some(resource));
                }
                Err(error) => failed.push(error),
            }
        }
        // The next kind holds this one.
        DestroyError::of(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mesosflow_workflow::ErrorClass;

    use super::*;
    use crate::provider::Answer;

    fn provider(doing: &str, class: ErrorClass) -> DestroyError {
        DestroyError::Provider(ProviderError {
            doing: doing.into(),
            class,
            hint: None,
            source: Answer("no".into()),
        })
    }

    #[test]
    fn everything_that_only_a_person_can_help_is_said() {
        let of = |failed| DestroyError::of(failed).map_err(|error| error.to_string());
        let protected = |name: &str| provider(name, ErrorClass::Operator);
        let held = || DestroyError::Held("held".into());
        let stranger = || DestroyError::Stranger { epoch: Epoch(7) };
        assert_eq!(of(Vec::new()), Ok(()));
        assert_eq!(of(vec![held()]), Err("held".into()));
        assert_eq!(of(vec![protected("i-1"), held()]), Err("i-1".into()));
        let both = vec![protected("i-1"), held(), protected("i-2")];
        let both = DestroyError::of(both).unwrap_err();
        assert!(!both.may_pass());
        let each: Vec<_> = both.each().iter().map(ToString::to_string).collect();
        assert_eq!(each, ["i-1", "i-2"]);
        let fenced = of(vec![protected("i-1"), stranger(), protected("i-2")]);
        assert_eq!(fenced, Err(stranger().to_string()));
        let may_pass = DestroyError::of(vec![provider("busy", ErrorClass::Transient)]);
        assert!(may_pass.unwrap_err().may_pass());
    }
}
