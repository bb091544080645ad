//! `persistent-hdfs-format` (notes 2.18): the persistent HDFS gets a file system if it has none.
//!
//! - Changes: an empty namenode's folder is formatted. An existing file system is kept, whoever made it, unless a replay
//!   names this very step.
//! - Twice is safe: the format is a durable job, marked by run and generation as its last act.
//! - Not undone: where it formats, it destroys what was there.

use std::time::Duration;

use mesosflow_workflow::{Effect, ErrorClass, Limits, Probe, Settled, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::hdfs::{FORMAT_LIMITS, Formatted, Hdfs, NameFolder, PERSISTENT_DATA, is_of_run};
use crate::world::World;

/// What is formatted.
#[derive(Debug, Serialize)]
pub struct PersistentHdfsFormat {
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub namenode: Node,
    /// The slaves.
    #[serde(serialize_with = "input::nodes")]
    pub slaves: Vec<Node>,
    /// Whether the cluster has had one that its machines were to keep: an empty disk is a loss then, and no place for another.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub must_exist: bool,
}

impl PersistentHdfsFormat {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("persistent-hdfs-format");

    async fn look(&self, cx: &StepCx<World>) -> Result<NameFolder, ActError> {
        Hdfs::Persistent.look(cx.world(), &self.namenode).await
    }

    /// Blocks on a datanode are somebody's data, whatever the namenode's folder looks like; but for those of a cluster that
    /// never came up.
    async fn refuse_over_data(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let found = Hdfs::Persistent
            .data_ids(cx.world(), &self.slaves, PERSISTENT_DATA)
            .await?;
        // A run that never came to its end formatted them itself, for a cluster that nobody has had.
        let is_own = |id: &str| !cx.was_up() && !self.must_exist && is_of_run(id, cx.run());
        let what = match found.iter().find(|(_, id)| !is_own(id)) {
            Some((node, id)) => {
                format!(
                    "{node} holds blocks of the persistent file system {id}, whose namenode has lost its folder"
                )
            }
            None if self.must_exist => format!(
                "the persistent file system is not on its disks any more: neither on {} nor on any slave",
                self.namenode.name
            ),
            None => return Ok(()),
        };
        Err(ActError::Unmet {
            what,
            class: ErrorClass::Operator,
            hint: Some(
                "restore /vol/persistent-hdfs/name on the first master, or give the data up with \
                 `mesosflow replay --from persistent-hdfs-format`"
                    .into(),
            ),
        })
    }
}

impl Step for PersistentHdfsFormat {
    type World = World;
    type Output = Formatted;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Formatted>, ActError> {
        Ok(match self.look(cx).await? {
            NameFolder::Complete { cluster_id, made_by } => {
                if !cx.named_by_replay() {
                    Hdfs::Persistent.refuse_older(cx.world(), &self.namenode).await?;
                }
                let by_this = made_by.as_deref() == Some(cx.effect_key().as_str());
                if by_this || !cx.named_by_replay() {
                    Probe::Done(Formatted { cluster_id })
                } else {
                    Probe::NotDone
                }
            }
            NameFolder::Half | NameFolder::Empty => Probe::NotDone,
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Formatted, ActError> {
        let world = cx.world();
        if !cx.named_by_replay() {
            self.refuse_over_data(cx).await?;
        }
        Hdfs::Persistent.stop(world, &self.namenode, &self.slaves).await?;
        Hdfs::Persistent.give_up(world, &self.namenode).await?;
        Hdfs::Persistent
            .empty_data(world, &self.slaves, PERSISTENT_DATA)
            .await?;
        Hdfs::Persistent
            .format(world, &self.namenode, cx.effect_key())
            .await?;
        match self.look(cx).await? {
            NameFolder::Complete { cluster_id, .. } => Ok(Formatted { cluster_id }),
            _ => Err(ActError::not_yet(
                "the persistent namenode's folder is not complete after its format",
            )),
        }
    }

    async fn verify(&self, cx: &StepCx<World>, formatted: &Formatted) -> Result<(), ActError> {
        match self.look(cx).await? {
            NameFolder::Complete { cluster_id, .. } if cluster_id == formatted.cluster_id => Ok(()),
            _ => Err(ActError::not_yet(
                "the persistent namenode's folder changed after its format",
            )),
        }
    }

    async fn settle(&self, cx: &StepCx<World>, effect: &Effect) -> Result<Settled, ActError> {
        Ok(World::settle(cx, &self.namenode, effect, FORMAT_LIMITS).await?)
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(600))
    }
}
