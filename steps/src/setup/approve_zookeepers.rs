//! `approve-zookeepers` (notes 2.7): the first master knows the ZooKeepers' host keys, and each has its number.
//!
//! - Changes: lines in the cluster's own `known_hosts` on the first master; `/tmp/zookeeper/myid` on the ZooKeeper, for
//!   whoever looks there. Nothing of mesosflow's reads it.
//! - Twice is safe: the lines of a host are replaced, the number is written again.
//! - Not undone.

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::Serialize;

use super::Approval;
use crate::act::ActError;
use crate::world::{Script, World};

const OURS: &str = shell!("myid-ours.sh");
const IS_DROPPED: &str = r#"is_ours && [ "$(kind "$folder/myid")" = 'regular file 0' ] || exit 1
[ "$(cat "$folder/myid")" = "$id" ] || exit 1"#;
const DROP: &str = shell!("myid-drop.sh");

/// One ZooKeeper; its number is its index.
#[derive(Debug, Serialize)]
pub struct ApproveZookeeper(pub Approval);

impl ApproveZookeeper {
    async fn has_number(&self, cx: &StepCx<World>) -> Result<bool, ActError> {
        let script = Script::new("look at myid", IS_DROPPED).before(OURS);
        Ok(cx
            .world()
            .ask(&self.0.node, script.var("id", self.0.node.index))
            .await?)
    }
}

impl Step for ApproveZookeeper {
    type World = World;
    type Output = ();
    type Error = ActError;

    const ID: StepId = StepId::from_static("approve-zookeepers");

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        let done = self.has_number(cx).await? && self.0.is_proven(cx).await?;
        Ok(if done { Probe::Done(()) } else { Probe::NotDone })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        self.0.pin(cx).await?;
        let script = Script::new("drop myid", DROP).before(OURS);
        cx.world()
            .run(&self.0.node, script.var("id", self.0.node.index))
            .await?;
        Ok(())
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        self.0.prove(cx).await?;
        if self.has_number(cx).await? {
            return Ok(());
        }
        Err(ActError::not_yet(format!("{} lost its number", self.0.node.name)))
    }
}

#[cfg(test)]
mod tests;
