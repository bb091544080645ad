//! `build-mesos` (notes 2.12): Mesos on the first master, by the way that the user chose.
//!
//! - Changes: `/root/mesos` on the first master, in the layout of `make install`, with a mark of where it came from.
//! - Twice is safe: it is unpacked or built beside the old one and moved over it; the mark says what is there. A build is
//!   a durable job. A `/root/mesos` that is somebody else's is moved aside.
//! - Not undone.

use mesosflow_workflow::{Effect, Limits, Probe, Settled, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};

use crate::act::ActError;
use crate::claim;
use crate::cluster::{MesosSpec, Node, input};
use crate::mesos_make::{LIMITS, Making};
use crate::on_node::MESOS;
use crate::world::World;

/// Where Mesos comes from, and where it goes.
#[derive(Debug, Serialize)]
pub struct BuildMesos {
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub hub: Node,
    /// The source.
    pub mesos: MesosSpec,
}

/// What stands on the first master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltMesos {
    /// What `mesos-master --version` prints.
    pub version: String,
    /// Digest of the folder, which every other node has to have.
    pub digest: String,
}

impl From<(String, String)> for BuiltMesos {
    fn from((version, digest): (String, String)) -> Self {
        Self { version, digest }
    }
}

impl BuildMesos {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("build-mesos");

    const fn making(&self) -> Making<'_> {
        Making {
            hub: &self.hub,
            mesos: &self.mesos,
            place: MESOS,
        }
    }
}

impl Step for BuildMesos {
    type World = World;
    type Output = BuiltMesos;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<BuiltMesos>, ActError> {
        if !self.making().is_made(cx.world()).await? {
            return Ok(Probe::NotDone);
        }
        claim::tell(cx.world(), &self.hub).await?;
        Ok(Probe::Done(self.making().standing(cx.world()).await?.into()))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<BuiltMesos, ActError> {
        Ok(self.making().make(cx).await?.into())
    }

    async fn verify(&self, cx: &StepCx<World>, built: &BuiltMesos) -> Result<(), ActError> {
        let BuiltMesos { version, digest } = built;
        self.making().stands_as(cx.world(), version, digest).await
    }

    async fn settle(&self, cx: &StepCx<World>, effect: &Effect) -> Result<Settled, ActError> {
        self.making().settle(cx, effect).await
    }

    fn limits(&self) -> Limits {
        LIMITS
    }
}
