//! Taking a cluster down: what the journal says was created, and what carries the run's tags without having reached it.

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use mesosflow_workflow::{Epoch, RecordError, Resource, Run};

use crate::provider::ProviderError;
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
    /// The provider says that all was deleted, and still has it.
    #[error("still there after all was deleted: {}", .0.iter().map(|r| r.name.as_str()).collect::<Vec<_>>().join(", "))]
    Left(Vec<Resource>),
}

/// How often everything is gone through: a call of the engine may outlive a controller that was killed, and make a machine
/// while the others are deleted.
const ROUNDS: u32 = 5;
/// How long such a call is given between two rounds.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What has to go before what: requests before the machines that they would still bring, machines before their volumes and
/// the groups and networks that they are in.
const ORDER: [&str; 7] = [
    "spot-request",
    "instance",
    "volume",
    "security-group-rule",
    "security-group",
    "network",
    "authorized-key",
];

fn place(kind: &str) -> usize {
    ORDER
        .iter()
        .position(|known| *known == kind)
        .unwrap_or(ORDER.len())
}

/// What is known of what has to be deleted, and who is told that it is gone.
pub enum Ledger<'a> {
    /// The history of a run.
    Run(&'a Run),
    /// What could be read of a damaged history, which takes no more events.
    Salvaged(Vec<Resource>),
}

impl Ledger<'_> {
    fn resources(&self) -> Vec<Resource> {
        match self {
            Self::Run(run) => run.state().resources,
            Self::Salvaged(resources) => resources.clone(),
        }
    }

    async fn deleted(&self, resource: &Resource) -> Result<(), RecordError> {
        match self {
            Self::Run(run) => run.deleted(resource.clone()).await,
            Self::Salvaged(_) => Ok(()),
        }
    }
}

/// Deletes everything that the run created, machines before what they live in; repeatable, and done only when the
/// provider has nothing left that carries the run's tags. `observe` is told of each deletion once it is recorded.
///
/// # Errors
/// The provider or the journal fails, or something stays.
pub async fn destroy(
    ledger: &Ledger<'_>,
    world: &World,
    observe: &mut (dyn FnMut(&Resource) + Send),
) -> Result<Destroyed, DestroyError> {
    let mut deleted = Vec::new();
    let mut round = 1;
    loop {
        let failed = delete_all(ledger, world, observe, &mut deleted).await;
        let error = match failed {
            Ok(()) => {
                let left = world.provider().owned(world.owner()).await?;
                if left.is_empty() {
                    return Ok(Destroyed { deleted });
                }
                DestroyError::Left(left)
            }
            Err(DestroyError::Provider(error)) if error.class.is_retryable() => error.into(),
            Err(error) => return Err(error),
        };
        if round == ROUNDS {
            return Err(error);
        }
        tracing::info!(round, %error, "looks again for what is left");
        round += 1;
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Deletes a resource, if nobody else drives the cluster by now.
async fn delete(world: &World, resource: &Resource) -> Result<(), DestroyError> {
    world.guard().await?;
    world.provider().delete(resource).await?;
    world.gone(&resource.id);
    Ok(())
}

async fn delete_all(
    ledger: &Ledger<'_>,
    world: &World,
    observe: &mut (dyn FnMut(&Resource) + Send),
    deleted: &mut Vec<Resource>,
) -> Result<(), DestroyError> {
    let provider = world.provider();
    world.guard().await?;
    // What is found anew in each round may be somebody else's by now: nodes that this driver has deleted say nothing of that.
    let makers = world.makers().await?;
    if let Some(stranger) = makers.iter().find(|maker| !world.knows(maker)) {
        let epoch = stranger.epoch;
        return Err(DestroyError::Stranger { epoch });
    }
    let mut todo = provider.owned(world.owner()).await?;
    for recorded in ledger.resources() {
        if !todo
            .iter()
            .any(|found| (&found.kind, &found.id) == (&recorded.kind, &recorded.id))
        {
            todo.push(recorded);
        }
    }
    todo.sort_by_key(|resource| place(&resource.kind));
    provider.release(&todo).await?;
    // Kind after kind; what is of one kind ends side by side.
    let mut todo = todo.into_iter().peekable();
    while let Some(first) = todo.next() {
        let mut alike = vec![first];
        while let Some(next) = todo.next_if(|next| next.kind == alike[0].kind) {
            alike.push(next);
        }
        let mut ending: FuturesUnordered<_> = alike
            .into_iter()
            .map(|resource| async move { (delete(world, &resource).await, resource) })
            .collect();
        let mut failed = None;
        while let Some((ended, resource)) = ending.next().await {
            match ended {
                Ok(()) => {
                    ledger.deleted(&resource).await?;
                    observe(&resource);
                    deleted.push(resource);
                }
                Err(error) => failed = Some(error),
            }
        }
        // The next kind holds this one.
        failed.map_or(Ok(()), Err)?;
    }
    Ok(())
}
