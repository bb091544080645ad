//! `stop-machines`, `start-machines`: a machine is stopped, and seen so; or runs again.
//!
//! - Changes: its provider stops it, or starts it. Its disks stay, but for those that its provider wipes with every stop.
//! - Twice is safe: one that is as it should be is left alone.
//! - Each undoes the other.

use std::sync::Arc;
use std::time::Duration;

use mesosflow_workflow::{ErrorClass, Limits, Probe, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::act::ActError;
use crate::cluster::Instance;
use crate::provider::Condition;
use crate::provision::dead;
use crate::world::World;

/// A hung shutdown is forced by EC2 after some minutes, and a start is not refused for lack of capacity any sooner.
const LIMIT: Duration = Duration::from_secs(900);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long nothing is said of a machine that is on its way.
const QUIET: Duration = Duration::from_secs(15);

/// A machine that is to stop.
#[derive(Debug, Serialize)]
pub struct StopMachine {
    /// The machine.
    pub instance: Instance,
    /// Whether the nodes were asked who drives the cluster: once for all, since none can answer that is stopping.
    #[serde(skip)]
    pub asked: Arc<OnceCell<()>>,
}

/// A machine that is to run.
#[derive(Debug, Serialize)]
pub struct StartMachine {
    /// The machine.
    pub instance: Instance,
}

/// A machine that does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halted {
    /// Whether nobody can start it again.
    pub is_gone: bool,
}

/// Looks at a machine until it is as it should be.
async fn wait<T>(
    cx: &StepCx<World>,
    instance: &Instance,
    judge: impl Fn(Condition) -> Result<T, ActError>,
) -> Result<T, ActError> {
    let begun = Instant::now();
    let mut said = false;
    loop {
        let condition = cx.world().provider().condition(instance).await?;
        let error = match judge(condition) {
            Err(
                error @ ActError::Unmet {
                    class: ErrorClass::Transient,
                    ..
                },
            ) => error,
            judged => return judged,
        };
        if begun.elapsed() >= LIMIT {
            return Err(error);
        }
        if begun.elapsed() >= QUIET && !std::mem::replace(&mut said, true) {
            tracing::info!(target: "mesosflow::progress", "{error}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl StopMachine {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("stop-machines");

    fn halted(&self, condition: Condition) -> Result<Halted, ActError> {
        let instance = &self.instance;
        match condition {
            Condition::Stopped(_) => Ok(Halted { is_gone: false }),
            Condition::Dead(_) => Ok(Halted { is_gone: true }),
            Condition::Running(_) => Err(self.not_yet("it runs still")),
            Condition::Stopping(what) | Condition::Booting(what) | Condition::Unknown(what) => Err(
                ActError::not_yet(format!("{} ({}): {what}", instance.name, instance.id)),
            ),
        }
    }

    fn not_yet(&self, what: &str) -> ActError {
        ActError::not_yet(format!("{} ({}): {what}", self.instance.name, self.instance.id))
    }
}

impl Step for StopMachine {
    type World = World;
    type Output = Halted;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Halted>, ActError> {
        let condition = cx.world().provider().condition(&self.instance).await?;
        Ok(self.halted(condition).map_or(Probe::NotDone, Probe::Done))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Halted, ActError> {
        let world = cx.world();
        self.asked.get_or_try_init(|| world.guard()).await?;
        world.provider().stop(&self.instance).await?;
        // From here on it says nothing of who drives the cluster.
        world.gone(&self.instance.id);
        wait(cx, &self.instance, |condition| self.halted(condition)).await
    }

    async fn verify(&self, _cx: &StepCx<World>, _halted: &Halted) -> Result<(), ActError> {
        // To stop is to see stopped: the provider has been asked.
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits::within(LIMIT + Duration::from_secs(120))
    }
}

impl StartMachine {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("start-machines");

    fn running(&self, condition: Condition) -> Result<(), ActError> {
        let instance = &self.instance;
        let not_yet = |what: &str| {
            Err(ActError::not_yet(format!(
                "{} ({}): {what}",
                instance.name, instance.id
            )))
        };
        match condition {
            Condition::Running(_) => Ok(()),
            Condition::Booting(what)
            | Condition::Unknown(what)
            | Condition::Stopping(what)
            | Condition::Stopped(what) => not_yet(&what),
            Condition::Dead(why) => Err(ActError::wrong(dead(instance, &why)).hinted(
                "`mesosflow close` ends this run where it stands; another `mesosflow start` makes a slave that is gone anew",
            )),
        }
    }
}

impl Step for StartMachine {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        let condition = cx.world().provider().condition(&self.instance).await?;
        Ok(self.running(condition).map_or(Probe::NotDone, Probe::Done))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        // One that is being stopped cannot be started before it has.
        let stopping = |condition| match condition {
            Condition::Stopping(what) => Err(ActError::not_yet(format!("{}: {what}", self.instance.name))),
            _ => Ok(()),
        };
        wait(cx, &self.instance, stopping).await?;
        cx.world().provider().start(&self.instance).await?;
        wait(cx, &self.instance, |condition| self.running(condition)).await
    }

    async fn verify(&self, _cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits::within(2 * LIMIT + Duration::from_secs(120))
    }
}
