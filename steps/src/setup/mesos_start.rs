//! `mesos-start` (notes 2.20.b): the other masters, then the active one, then, a leader being elected, all slaves.
//!
//! - Changes: masters and agents run under systemd, also after a reboot.
//! - Twice is safe: what runs with the deployed unit is kept.
//! - Undone by `mesos-stop`.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};

use super::BuiltMesos;
use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::mesos;
use crate::world::{World, on_each};

/// A stopped leader's ZooKeeper session lasts 10 s; a registry of many slaves takes its time to be recovered.
const ELECTION_LIMIT: Duration = Duration::from_secs(120);
/// Agents back off up to a minute before they register (`--registration_backoff_factor`).
const REGISTRATION_LIMIT: Duration = Duration::from_secs(180);

/// What is started.
#[derive(Debug, Serialize)]
pub struct MesosStart {
    /// The masters, the active one first.
    #[serde(serialize_with = "input::nodes")]
    pub masters: Vec<Node>,
    /// The slaves.
    #[serde(serialize_with = "input::nodes")]
    pub slaves: Vec<Node>,
    /// What they run.
    pub mesos: BuiltMesos,
    /// Digest of the rendered tree, which holds their units: another tree is another input.
    pub tree: String,
}

/// A running Mesos.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MesosCluster {
    /// The master that led when the slaves had registered.
    pub leader: String,
    /// How many slaves are registered and active.
    pub slaves: usize,
}

impl MesosStart {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("mesos-start");

    async fn seen(&self, cx: &StepCx<World>) -> Result<Option<MesosCluster>, ActError> {
        let leader = mesos::leader_with(cx.world(), &self.masters, &self.slaves).await?;
        Ok(leader.map(|leader| MesosCluster {
            leader,
            slaves: self.slaves.len(),
        }))
    }
}

impl Step for MesosStart {
    type World = World;
    type Output = MesosCluster;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<MesosCluster>, ActError> {
        let world = cx.world();
        let masters = on_each(&self.masters, |node| async move {
            mesos::MASTER.is_current(world, node).await
        })
        .await?;
        let slaves = on_each(&self.slaves, |node| async move {
            mesos::SLAVE.is_current(world, node).await
        })
        .await?;
        if masters.contains(&false) || slaves.contains(&false) {
            return Ok(Probe::NotDone);
        }
        Ok(self.seen(cx).await?.map_or(Probe::NotDone, Probe::Done))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<MesosCluster, ActError> {
        let world = cx.world();
        let active = &self.masters[0];
        on_each(&self.masters[1..], |node| async move {
            mesos::MASTER.ensure(world, node).await
        })
        .await?;
        mesos::MASTER.ensure(world, active).await?;
        let leading = mesos::leader_script(&self.masters);
        if let Err(error) = world
            .wait_until(active, ELECTION_LIMIT, "waiting for a leading master", leading)
            .await
        {
            return Err(mesos::MASTER.explain(world, active, error).await);
        }
        on_each(&self.slaves, |node| async move {
            mesos::SLAVE.ensure(world, node).await
        })
        .await?;
        let registered = mesos::registered_script(&self.masters, &self.slaves);
        let what = format!("waiting for {} slaves to register", self.slaves.len());
        if let Err(error) = world
            .wait_until(active, REGISTRATION_LIMIT, &what, registered)
            .await
        {
            return Err(mesos::SLAVE.explain(world, &self.slaves[0], error).await);
        }
        let seen = self.seen(cx).await?;
        seen.ok_or_else(|| ActError::not_yet("the leading master lost a slave right after its registration"))
    }

    async fn verify(&self, cx: &StepCx<World>, _cluster: &MesosCluster) -> Result<(), ActError> {
        match self.seen(cx).await? {
            Some(_) => Ok(()),
            None => Err(ActError::not_yet(
                "the leading master lost a slave right after its registration",
            )),
        }
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(600))
    }
}
