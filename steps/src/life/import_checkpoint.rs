//! `persistent-hdfs-import`: the namenode of the persistent HDFS, whose disk was lost, begins with the second master's newest checkpoint.
//! What was changed since that is lost: files written later are not there, and files deleted later are, without their blocks.
//!
//! - Changes: the namenode's folder and the mark of its format on the first master. The second master's secondary namenode is stopped until
//!   `persistent-hdfs-start`.
//! - Twice is safe: the folder comes whole or not at all, and one of that file system is left alone. One of another, or what is left of one, is
//!   refused.
//! - Nothing to undo: there was none before.

use std::time::Duration;

use mesosflow_workflow::{ErrorClass, Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::hdfs::{Formatted, Hdfs, NameFolder, import};
use crate::world::World;

/// The way of a checkpoint.
#[derive(Debug, Serialize)]
pub struct ImportCheckpoint {
    /// The first master, which has no name folder.
    #[serde(serialize_with = "input::node")]
    pub hub: Node,
    /// The second master, which has the checkpoint.
    #[serde(serialize_with = "input::node")]
    pub second: Node,
    /// The file system that it has to be of.
    pub cluster_id: String,
}

impl ImportCheckpoint {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("persistent-hdfs-import");

    /// Whether the folder is there; an error where another one is.
    async fn is_there(&self, world: &World) -> Result<bool, ActError> {
        let what = match Hdfs::Persistent.look(world, &self.hub).await? {
            NameFolder::Empty => return Ok(false),
            NameFolder::Complete { cluster_id, .. } if cluster_id == self.cluster_id => return Ok(true),
            NameFolder::Complete { cluster_id, .. } => {
                format!("is that of {cluster_id}, not of {}", self.cluster_id)
            }
            NameFolder::Half => "is there, and is not whole".to_owned(),
        };
        Err(ActError::Unmet {
            what: format!(
                "{}: the persistent namenode's folder {what}: no checkpoint takes its place",
                self.hub.name
            ),
            class: ErrorClass::Operator,
            hint: Some("move /vol/persistent-hdfs/name aside there, if the checkpoint is to count".into()),
        })
    }
}

impl Step for ImportCheckpoint {
    type World = World;
    type Output = Formatted;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Formatted>, ActError> {
        let cluster_id = self.cluster_id.clone();
        Ok(match self.is_there(cx.world()).await? {
            true => Probe::Done(Formatted { cluster_id }),
            false => Probe::NotDone,
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Formatted, ActError> {
        import(cx.world(), &self.hub, &self.second, &self.cluster_id).await?;
        Ok(Formatted {
            cluster_id: self.cluster_id.clone(),
        })
    }

    async fn verify(&self, cx: &StepCx<World>, _formatted: &Formatted) -> Result<(), ActError> {
        match self.is_there(cx.world()).await? {
            true => Ok(()),
            false => Err(ActError::not_yet(format!(
                "{} has no persistent namenode's folder after the checkpoint was laid there",
                self.hub.name
            ))),
        }
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(1800))
    }
}
