//! Taking a cluster down: what the journal says was created, and what carries the run's tags without having reached it.

use std::time::Duration;

use mesosflow_workflow::{ErrorClass, RecordError, Resource, Run};

use crate::provider::ProviderError;
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
    /// The provider says that all was deleted, and still has it.
    #[error("still there after all was deleted: {}", .0.iter().map(|r| r.name.as_str()).collect::<Vec<_>>().join(", "))]
    Left(Vec<Resource>),
}

/// How often everything is gone through: a call of the engine may outlive a controller that was killed, and make a machine
/// while the others are deleted.
const ROUNDS: u32 = 5;
/// How long such a call is given between two rounds.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Deletes everything that the run created, machines before what they live in; repeatable, and done only when the
/// provider has nothing left that carries the run's tags. `observe` is told of each deletion once it is recorded.
///
/// # Errors
/// The provider or the journal fails, or something stays.
pub async fn destroy(
    run: &Run,
    world: &World,
    observe: &mut (dyn FnMut(&Resource) + Send),
) -> Result<Destroyed, DestroyError> {
    let mut deleted = Vec::new();
    let mut round = 1;
    loop {
        let failed = delete_all(run, world, observe, &mut deleted).await;
        let error = match failed {
            Ok(()) => {
                let left = world.provider().owned(world.owner()).await?;
                if left.is_empty() {
                    return Ok(Destroyed { deleted });
                }
                DestroyError::Left(left)
            }
            Err(DestroyError::Provider(error)) if error.class == ErrorClass::Transient => error.into(),
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

async fn delete_all(
    run: &Run,
    world: &World,
    observe: &mut (dyn FnMut(&Resource) + Send),
    deleted: &mut Vec<Resource>,
) -> Result<(), DestroyError> {
    let provider = world.provider();
    let mut todo = provider.owned(world.owner()).await?;
    // Newest first: machines were created after the network that they are in.
    for recorded in run.state().resources.into_iter().rev() {
        if !todo.contains(&recorded) {
            todo.push(recorded);
        }
    }
    for resource in todo {
        provider.delete(&resource).await?;
        run.deleted(resource.clone()).await?;
        observe(&resource);
        deleted.push(resource);
    }
    Ok(())
}
