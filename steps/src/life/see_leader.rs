//! `see-leader`: which master leads when a roll begins. It is rolled last, so that there is one election and no more. And whose agents
//! it does not hear of: those are no masters' fault, and are seen to in their own turn.
//!
//! - Changes: nothing.
//! - Twice is safe. What was seen stays the order of the roll, whoever leads later.

use std::time::Duration;

use mesosflow_workflow::{ErrorClass, Limits, Probe, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::mesos;
use crate::operator::{Operator, standings};
use crate::world::World;

use super::well::is_registered;

/// A stopped leader's ZooKeeper session lasts 10 s, and the registry's recovery takes its time.
const ELECTION_LIMIT: Duration = Duration::from_secs(120);

/// Those of whom one leads.
#[derive(Debug, Serialize)]
pub struct SeeLeader {
    /// The masters.
    #[serde(serialize_with = "input::nodes")]
    pub masters: Vec<Node>,
    /// Whose agents are looked for. What is seen of them is no part of the question.
    #[serde(skip)]
    pub slaves: Vec<Node>,
}

/// The one that leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leading {
    /// The name of its node; none where nobody leads, as where the only master has a Mesos that does not work.
    pub leader: Option<String>,
    /// The names of slaves whose agents are not registered with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unheard: Vec<String>,
}

impl SeeLeader {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("see-leader");

    /// The one that leads, once one does; none where nobody has in time: whatever is rolled out may be what mends that.
    async fn leader(&self, world: &World) -> Result<Option<String>, ActError> {
        let (asked, leads) = (&self.masters[0], mesos::leader_script(&self.masters));
        let what = "waiting for a leading master";
        match world.wait_until(asked, ELECTION_LIMIT, what, leads.clone()).await {
            Err(ActError::Unmet {
                class: ErrorClass::Transient,
                what,
                ..
            }) => {
                tracing::warn!(target: "mesosflow::progress", "{what}: the masters are rolled in their order");
                return Ok(None);
            }
            waited => waited?,
        }
        let address = world.answer(asked, leads).await?;
        let leads = |node: &&Node| Some(node.private_ip.to_string()) == address;
        let leader = self.masters.iter().find(leads).map(|node| node.name.clone());
        leader
            .map(Some)
            .ok_or_else(|| ActError::not_yet("no master leads any more"))
    }

    /// Whose agents it does not hear of.
    async fn unheard(&self, world: &World) -> Result<Vec<String>, ActError> {
        let operator = Operator::new(world, &self.masters);
        let standings = standings(&operator, &self.slaves).await?;
        let of_those = self.slaves.iter().zip(standings);
        let unheard = of_those.filter(|(_, standing)| !is_registered(standing));
        Ok(unheard.map(|(slave, _)| slave.name.clone()).collect())
    }
}

impl Step for SeeLeader {
    type World = World;
    type Output = Leading;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<Leading>, ActError> {
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Leading, ActError> {
        let world = cx.world();
        let leader = self.leader(world).await?;
        let unheard = match &leader {
            Some(_) => self.unheard(world).await?,
            None => self.slaves.iter().map(|slave| slave.name.clone()).collect(),
        };
        Ok(Leading { leader, unheard })
    }

    async fn verify(&self, _cx: &StepCx<World>, _leading: &Leading) -> Result<(), ActError> {
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits::within(ELECTION_LIMIT + Duration::from_secs(60))
    }
}
