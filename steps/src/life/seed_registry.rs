//! `seed-registry`: a master that begins anew has the registry of the only other one there is. Of two masters both make the quorum, so
//! that one alone gives its copy to nobody: Mesos' own recovery would wait for ever.
//!
//! - Changes: the replicated log in the node's work folder, copied from the other one, whose daemon is stopped meanwhile.
//! - Twice is safe: once there is a log, it is left alone.
//! - Nothing to undo.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::hub;
use crate::mesos::{MASTER, REGISTRY};
use crate::world::{Script, World};

/// A log that a master has begun names its last file there.
const IS_BEGUN: &str = r#"[ -e "$registry/CURRENT" ] || exit 1"#;

/// The registry's way.
#[derive(Debug, Serialize)]
pub struct SeedRegistry {
    /// The master that has it.
    #[serde(serialize_with = "input::node")]
    pub from: Node,
    /// The master that gets it.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
}

impl SeedRegistry {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("seed-registry");

    async fn is_begun(&self, world: &World, node: &Node) -> Result<bool, ActError> {
        let look = Script::new("look for Mesos' registry", IS_BEGUN).var("registry", REGISTRY);
        Ok(world.ask(node, look).await?)
    }
}

impl Step for SeedRegistry {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        let world = cx.world();
        // A Mesos that keeps none has none to give.
        let done = self.is_begun(world, &self.node).await? || !self.is_begun(world, &self.from).await?;
        Ok(Probe::done_if(done))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let (world, beside) = (cx.world(), format!("{REGISTRY}.seed"));
        MASTER.stop(world, &self.from).await?;
        let copied = hub::copy_to(world, &self.from, &self.node, REGISTRY, &beside).await;
        MASTER.ensure(world, &self.from).await?;
        copied?;
        // Whole or not at all.
        let lay = Script::new("lay down Mesos' registry", r#"mv -T "$beside" "$registry""#);
        let lay = lay.var("beside", beside).var("registry", REGISTRY);
        world.run(&self.node, lay).await?;
        Ok(())
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        match self.probe(cx).await? {
            Probe::Done(()) => Ok(()),
            Probe::NotDone => Err(ActError::not_yet(format!(
                "{} has no registry after its copy",
                self.node.name
            ))),
        }
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(900))
    }
}
