//! `mesos-stop` (notes 2.20.a): no Mesos runs on any master or slave.
//!
//! - Changes: masters and agents are stopped, and gone. Their work folders stay; their executors too, unless it is for good.
//! - Twice is safe.
//! - Undone by `mesos-start`.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::mesos;
use crate::world::{Script, World};

const GONE_LIMIT: Duration = Duration::from_secs(60);

const IS_GONE: &str = shell!("mesos-is-gone.sh");
/// Strays that no unit of ours knows: a hand-started one, or one of an earlier set-up.
const SIGNAL: &str =
    r#"for name in mesos-agent mesos-slave mesos-master; do pkill -TERM -x "$name" || true; done"#;

/// One master or slave.
#[derive(Debug, Serialize)]
pub struct MesosStop {
    /// The node.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
    /// Whether it stays stopped until somebody starts it, also after a reboot.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub for_good: bool,
}

impl MesosStop {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("mesos-stop");

    async fn is_retired(&self, world: &World) -> Result<bool, ActError> {
        Ok(mesos::SLAVE.is_retired(world, &self.node).await?
            && mesos::MASTER.is_retired(world, &self.node).await?)
    }
}

impl Step for MesosStop {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        let gone = cx
            .world()
            .ask(&self.node, Script::new("look for Mesos processes", IS_GONE))
            .await?;
        let done = gone && (!self.for_good || self.is_retired(cx.world()).await?);
        Ok(Probe::done_if(done))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let (world, node) = (cx.world(), &self.node);
        for daemon in [mesos::SLAVE, mesos::MASTER] {
            match self.for_good {
                true => daemon.retire(world, node).await?,
                false => daemon.stop(world, node).await?,
            }
        }
        cx.world()
            .run(&self.node, Script::new("signal what is left of Mesos", SIGNAL))
            .await?;
        Ok(())
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        let look = Script::new("look for Mesos processes", IS_GONE);
        cx.world()
            .wait_until(&self.node, GONE_LIMIT, "waiting for Mesos to be gone", look)
            .await
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(240))
    }
}
