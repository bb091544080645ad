//! What the two steps about groups share: making what is missing, so that the journal knows of all of it.

use mesosflow_workflow::StepCx;

use crate::act::ActError;
use crate::provider::Groups;
use crate::world::World;

/// Makes what is missing of the groups and their rules. What was made before it failed exists, too, and is recorded.
pub(super) async fn ensure(cx: &StepCx<World>) -> Result<Groups, ActError> {
    let mut made = Vec::new();
    let groups = cx
        .world()
        .launcher()?
        .ensure_groups(cx.world().owner(), &mut made)
        .await;
    for resource in made {
        cx.created(resource).await?;
    }
    Ok(groups?)
}
