//! `see-leader`: which master leads when a roll begins. It is rolled last, so that there is one election and no more.
//!
//! - Changes: nothing.
//! - Twice is safe. What was seen stays the order of the roll, whoever leads later.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::mesos;
use crate::world::World;

/// A stopped leader's ZooKeeper session lasts 10 s, and the registry's recovery takes its time.
const ELECTION_LIMIT: Duration = Duration::from_secs(120);

/// Those of whom one leads.
#[derive(Debug, Serialize)]
pub struct SeeLeader {
    /// The masters.
    #[serde(serialize_with = "input::nodes")]
    pub masters: Vec<Node>,
}

/// The one that leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leading {
    /// The name of its node.
    pub leader: String,
}

impl SeeLeader {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("see-leader");
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
        let (world, leads) = (cx.world(), mesos::leader_script(&self.masters));
        let what = "waiting for a leading master";
        world
            .wait_until(&self.masters[0], ELECTION_LIMIT, what, leads.clone())
            .await?;
        let address = world.answer(&self.masters[0], leads).await?;
        let leads = |node: &&Node| Some(node.private_ip.to_string()) == address;
        let leader = self.masters.iter().find(leads).map(|node| node.name.clone());
        let leader = leader.ok_or_else(|| ActError::not_yet("no master leads any more"))?;
        Ok(Leading { leader })
    }

    async fn verify(&self, _cx: &StepCx<World>, _leading: &Leading) -> Result<(), ActError> {
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits::within(ELECTION_LIMIT + Duration::from_secs(60))
    }
}
