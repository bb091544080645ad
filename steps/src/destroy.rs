//! Taking a cluster down: what the journal says was created, and what carries the run's tags without having reached it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use mesosflow_workflow::{Effect, Epoch, RecordError, Resource, Settled, StepCx};
use tokio::time::Instant;

use crate::in_doubt::{InDoubt, Pauses};
use crate::provider::{Deletion, Provider, ProviderError, kinds};
use crate::remote::RemoteError;
use crate::world::World;

/// What was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destroyed {
    /// In the order of deletion.
    pub deleted: Vec<Resource>,
    /// The launches that had been in doubt, and what became of each.
    pub settled: Vec<(Effect, Settled)>,
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
    /// Something stays because another thing does.
    #[error("{} {} ({}) stays: {by} holds it", .what.kind, .what.name, .what.id)]
    Stays {
        /// What it is.
        what: Resource,
        /// Name and id of what holds it.
        by: String,
    },
    /// Several things stay.
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
            Self::Several(all) => all.iter().any(Self::may_pass),
            Self::Record(_) | Self::Stranger { .. } | Self::Fenced(_) | Self::Stays { .. } => false,
        }
    }

    /// Whether nothing else may be deleted either.
    const fn ends_all(&self) -> bool {
        matches!(self, Self::Record(_) | Self::Stranger { .. } | Self::Fenced(_))
    }

    /// Whether it is over when what a machine used was let go of.
    fn is_held(&self) -> bool {
        match self {
            Self::Held(_) => true,
            Self::Several(all) => all.iter().any(Self::is_held),
            _ => false,
        }
    }

    /// Each failure with all that the provider said of it, a line for each.
    pub(crate) fn in_full(&self) -> String {
        let told = |one: &Self| {
            let mut text = one.to_string();
            let mut source = std::error::Error::source(one);
            while let Some(deeper) = source {
                text = format!("{text}: {deeper}");
                source = deeper.source();
            }
            text
        };
        self.each().iter().map(told).collect::<Vec<_>>().join("\n")
    }

    /// What to do about it, a line for each way.
    pub(crate) fn hint(&self) -> Option<String> {
        let mut ways = Vec::new();
        for one in self.each() {
            if let Self::Provider(ProviderError { hint: Some(hint), .. }) = one
                && !ways.contains(hint)
            {
                ways.push(hint.clone());
            }
        }
        (!ways.is_empty()).then(|| ways.join("\n"))
    }

    /// Each failure by itself.
    pub fn each(&self) -> &[Self] {
        match self {
            Self::Several(all) => all,
            one => std::slice::from_ref(one),
        }
    }
}

/// What has failed while everything was gone through once, and what stays because of that.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    all: Vec<DestroyError>,
    /// By the id of what is held, who holds it.
    held: BTreeMap<String, String>,
}

impl Failures {
    /// Those that nothing is known to hold.
    pub(crate) fn free(&mut self, alike: Vec<Resource>) -> Vec<Resource> {
        let (held, free): (Vec<_>, Vec<_>) = alike
            .into_iter()
            .partition(|resource| self.held.contains_key(&resource.id));
        for what in held {
            let by = self.held[&what.id].clone();
            self.all.push(DestroyError::Stays { what, by });
        }
        free
    }

    /// Takes in what has failed of one kind. What is not held by what only a person can help goes on to be deleted.
    ///
    /// # Errors
    /// The cluster is somebody else's; or trying again may help, and the next kind holds this one.
    pub(crate) async fn take(
        &mut self,
        provider: &dyn Provider,
        failed: Vec<(Resource, DestroyError)>,
    ) -> Result<(), DestroyError> {
        for (resource, error) in failed {
            if error.ends_all() {
                return Err(error);
            }
            if !error.may_pass() {
                let by = format!("{} ({})", resource.name, resource.id);
                let held = provider.holds(&resource).await?;
                self.held.extend(held.into_iter().map(|id| (id, by.clone())));
            }
            self.all.push(error);
        }
        match self.all.iter().any(DestroyError::may_pass) {
            true => self.end(),
            false => Ok(()),
        }
    }

    /// All that has failed.
    ///
    /// # Errors
    /// Something has.
    pub(crate) fn end(&mut self) -> Result<(), DestroyError> {
        let mut all = std::mem::take(&mut self.all);
        // What only a person can help is told before what may pass, and before what follows from it.
        all.sort_by_key(|error| (error.may_pass(), matches!(error, DestroyError::Stays { .. })));
        match all.len() {
            0 => Ok(()),
            1 => all.pop().map_or(Ok(()), Err),
            _ => Err(DestroyError::Several(all)),
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

    /// What was ended since the last launch that is in doubt: by this going through, and by the steps before it.
    fn ended(&self, deleted: &[Resource]) -> Vec<Resource> {
        match self {
            Self::Step { cx, .. } => cx.deleted_resources(),
            Self::Salvaged { .. } => deleted.to_vec(),
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
    let mut doubts = InDoubt::at(provider, ledger.effects());
    let (mut deleted, mut settled) = (Vec::new(), Vec::new());
    let (mut patience, mut pauses, mut said) = (Patience::default(), Pauses::default(), None);
    loop {
        let before = deleted.len();
        let error = match delete_all(ledger, world, &mut doubts, observe, &mut deleted).await {
            Ok(()) => {
                let left = provider.owned(world.owner()).await?;
                if left.is_empty() {
                    settled.extend(doubts.settled());
                    world.wait_for(doubts.waits_for());
                    let (Some(due), Some(what)) = (doubts.due_in(), world.waits_for()) else {
                        return Ok(Destroyed { deleted, settled });
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
        let is_over = match error.is_held() {
            true => since.elapsed() >= RELEASE_LIMIT,
            false => self.rounds >= ROUNDS,
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

/// What there is of a cluster: by its tags, what is `known` of it, and what the launches in doubt have brought. `ended` was ended
/// here since the last of them.
///
/// # Errors
/// Some of it is of a driver that the journal does not know, or the provider does not answer.
pub(crate) async fn gather(
    world: &World,
    doubts: &mut InDoubt,
    ended: &[Resource],
    known: Vec<Resource>,
) -> Result<Vec<Resource>, DestroyError> {
    let provider = world.provider();
    // What is found anew in each round may be somebody else's by now: nodes that this driver has deleted say nothing of that.
    let launched = doubts.look(provider, ended).await?;
    let mut makers = world.makers().await?;
    makers.extend(launched.iter().filter_map(|found| found.driver));
    if let Some(stranger) = makers.iter().find(|maker| !world.knows(maker)) {
        let epoch = stranger.epoch;
        return Err(DestroyError::Stranger { epoch });
    }
    let mut all = provider.owned(world.owner()).await?;
    let launched = launched.into_iter().map(|found| found.resource);
    for known in known.into_iter().chain(launched) {
        if !all.iter().any(|found| found.is_same(&known)) {
            all.push(known);
        }
    }
    Ok(all)
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
    let todo = gather(world, doubts, &ledger.ended(deleted), ledger.resources()).await?;
    provider.release(&todo).await?;
    let mut failures = Failures::default();
    for alike in kinds(todo) {
        let mut ending: FuturesUnordered<_> = failures
            .free(alike)
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
                Err(error) => failed.push((resource, error)),
            }
        }
        failures.take(provider, failed).await?;
    }
    failures.end()
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

    fn resource(id: &str) -> Resource {
        Resource {
            kind: "instance".into(),
            id: id.into(),
            name: format!("name-{id}"),
        }
    }

    /// What is told in the end, where nothing is held by another thing.
    fn told(failed: Vec<DestroyError>) -> Vec<String> {
        let mut failures = Failures {
            all: failed,
            ..Failures::default()
        };
        let error = failures.end().err();
        let each = error.iter().flat_map(DestroyError::each);
        each.map(ToString::to_string).collect()
    }

    #[test]
    fn everything_that_only_a_person_can_help_is_said() {
        let protected = |name: &str| provider(name, ErrorClass::Operator);
        let held = || DestroyError::Held("held".into());
        assert!(told(Vec::new()).is_empty());
        assert_eq!(told(vec![held()]), ["held"]);
        assert_eq!(told(vec![held(), protected("i-1")]), ["i-1", "held"]);
        let both = DestroyError::Several(vec![protected("i-1"), protected("i-2")]);
        assert!(!both.may_pass());
        // What else may still be let go of is waited for.
        let waits = DestroyError::Several(vec![protected("i-1"), held()]);
        assert!(waits.may_pass() && waits.is_held());
        assert!(provider("busy", ErrorClass::Transient).may_pass());
        assert!(DestroyError::Stranger { epoch: Epoch(7) }.ends_all());
    }

    #[test]
    fn all_that_the_provider_said_is_told_with_what_to_do() {
        let refused = |doing: &str, answer: &str, hint: &str| {
            DestroyError::Provider(ProviderError {
                doing: doing.into(),
                class: ErrorClass::Operator,
                hint: Some(hint.into()),
                source: Answer(answer.into()),
            })
        };
        let protect = "switch its protection off";
        let all = DestroyError::Several(vec![
            refused("i-1 stays", "OperationNotPermitted", protect),
            refused("i-2 stays", "OperationNotPermitted", protect),
            DestroyError::Held("vol-1 is held".into()),
        ]);
        let told = "i-1 stays: OperationNotPermitted\ni-2 stays: OperationNotPermitted\nvol-1 is held";
        assert_eq!(all.in_full(), told);
        assert_eq!(all.hint().as_deref(), Some(protect));
    }

    #[test]
    fn what_is_held_by_what_stays_is_not_tried_and_told_last() {
        let mut failures = Failures::default();
        failures.held.insert("sg-1".into(), "name-i-1 (i-1)".into());
        let free = failures.free(vec![resource("sg-1"), resource("sg-2")]);
        assert_eq!(free, [resource("sg-2")]);
        failures.all.push(provider("i-1", ErrorClass::Operator));
        let error = failures.end().unwrap_err();
        assert!(!error.may_pass());
        let each: Vec<_> = error.each().iter().map(ToString::to_string).collect();
        assert_eq!(
            each,
            ["i-1", "instance name-sg-1 (sg-1) stays: name-i-1 (i-1) holds it"]
        );
    }
}
