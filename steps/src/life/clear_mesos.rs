//! `clear-mesos`: what a roll has left beside Mesos.
//!
//! - Changes: the Mesos of before, and one that was not rolled out, are removed from a node; what is not mesosflow's is moved aside.
//! - Twice is safe.
//! - Not undone.

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::on_node::{FORMER_MESOS, MESOS, NEXT_MESOS};
use crate::world::{Script, World};
use crate::{aside, claim};

const CLEAR: &str = shell!("mesos-clear.sh");

/// Where something may be left.
#[derive(Debug, Serialize)]
pub struct ClearMesos {
    /// A master or a slave.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
}

impl ClearMesos {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("clear-mesos");

    fn script<'a>(title: &'a str, body: &'a str) -> Script<'a> {
        Script::new(title, body)
            .var("next", NEXT_MESOS)
            .var("former", FORMER_MESOS)
    }

    async fn is_clear(&self, cx: &StepCx<World>) -> Result<bool, ActError> {
        let look = Self::script(
            "look what is left beside Mesos",
            r#"for path in "$next" "$next.by" "$next.part" "$former"; do [ ! -e "$path" ] || exit 1; done"#,
        );
        Ok(cx.world().ask(&self.node, look).await?)
    }
}

impl Step for ClearMesos {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(Probe::done_if(self.is_clear(cx).await?))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let clear = Self::script("remove what is left beside Mesos", CLEAR);
        let clear = clear.before(aside::FUNCTIONS).var("place", MESOS);
        cx.world().run(&self.node, clear).await?;
        Ok(claim::tell(cx.world(), &self.node).await?)
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        match self.is_clear(cx).await? {
            true => Ok(()),
            false => Err(ActError::not_yet(format!(
                "something is left beside Mesos on {}",
                self.node.name
            ))),
        }
    }
}
