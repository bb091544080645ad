//! Taking a cluster down: what the journal says was created, and what carries the run's tags without having reached it.

use mesosflow_workflow::{RecordError, Resource, Run};

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
    let provider = world.provider();
    let mut todo = provider.owned(world.owner()).await?;
    // Newest first: machines were created after the network that they are in.
    for recorded in run.state().resources.into_iter().rev() {
        if !todo.contains(&recorded) {
            todo.push(recorded);
        }
    }
    let mut deleted = Vec::new();
    for resource in todo {
        provider.delete(&resource).await?;
        run.deleted(resource.clone()).await?;
        observe(&resource);
        deleted.push(resource);
    }
    let left = provider.owned(world.owner()).await?;
    if left.is_empty() {
        Ok(Destroyed { deleted })
    } else {
        Err(DestroyError::Left(left))
    }
}
