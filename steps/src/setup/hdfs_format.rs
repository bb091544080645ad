//! `hdfs-format` (notes 2.17): the ephemeral HDFS gets a new file system, once in each generation.
//!
//! - Changes: what the namenode and the datanodes of the ephemeral HDFS hold is gone, and a new, empty file system is there.
//! - Twice is safe: the format is a durable job, marked by run and generation as its last act; a marked one is kept. When it
//!   runs again only because something before it has changed, a complete file system of this run is kept too.
//! - Not undone: this destroys data.

use std::time::Duration;

use mesosflow_workflow::{Effect, Limits, Probe, Settled, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::hdfs::{FORMAT_LIMITS, Formatted, Hdfs, NameFolder, is_made_by_run};
use crate::world::World;

/// What is formatted.
#[derive(Debug, Serialize)]
pub struct HdfsFormat {
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub namenode: Node,
    /// The slaves.
    #[serde(serialize_with = "input::nodes")]
    pub slaves: Vec<Node>,
    /// Folders of the datanodes, separated by commas.
    pub data_folders: String,
    /// Whether it is to be kept unless the machines have lost what was on their ephemeral disks: a file system of which no datanode
    /// has anything any more is formatted then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keeps: bool,
}

impl HdfsFormat {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("hdfs-format");

    /// Whether the file system of an earlier format is the one to be served.
    async fn counts(&self, cx: &StepCx<World>, key: &str) -> Result<bool, ActError> {
        let world = cx.world();
        let is_ours =
            is_made_by_run(key, cx.run()) || world.memory().runs().any(|run| is_made_by_run(key, run));
        let is_asked = match self.keeps {
            true => cx.named_by_replay(),
            false => cx.is_asked(),
        };
        if !is_ours || is_asked || !self.keeps {
            return Ok(is_ours && !is_asked);
        }
        let left = Hdfs::Ephemeral.data_ids(world, &self.slaves, &self.data_folders);
        Ok(!left.await?.is_empty())
    }

    /// The file system that a run of the cluster made, if it is complete: in the generation that asked for the step, and where nobody
    /// asked for it anew, whenever that was.
    async fn made(&self, cx: &StepCx<World>) -> Result<Option<Formatted>, ActError> {
        Ok(match Hdfs::Ephemeral.look(cx.world(), &self.namenode).await? {
            NameFolder::Complete {
                cluster_id,
                made_by: Some(key),
            } if key == cx.effect_key().as_str() || self.counts(cx, &key).await? => {
                Some(Formatted { cluster_id })
            }
            _ => None,
        })
    }
}

impl Step for HdfsFormat {
    type World = World;
    type Output = Formatted;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Formatted>, ActError> {
        Ok(self.made(cx).await?.map_or(Probe::NotDone, Probe::Done))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Formatted, ActError> {
        let world = cx.world();
        Hdfs::Ephemeral.stop(world, &self.namenode, &self.slaves).await?;
        Hdfs::Ephemeral.give_up(world, &self.namenode).await?;
        Hdfs::Ephemeral
            .empty_data(world, &self.slaves, &self.data_folders)
            .await?;
        Hdfs::Ephemeral
            .format(world, &self.namenode, cx.effect_key())
            .await?;
        let made = self.made(cx).await?;
        made.ok_or_else(|| {
            ActError::not_yet("the ephemeral namenode's folder is not complete after its format")
        })
    }

    async fn verify(&self, cx: &StepCx<World>, formatted: &Formatted) -> Result<(), ActError> {
        if self.made(cx).await?.as_ref() != Some(formatted) {
            return Err(ActError::not_yet(
                "the ephemeral namenode's folder changed after its format",
            ));
        }
        let left = Hdfs::Ephemeral
            .data_ids(cx.world(), &self.slaves, &self.data_folders)
            .await?;
        match left.first() {
            None => Ok(()),
            Some((node, id)) => Err(ActError::not_yet(format!(
                "a datanode's folder on {node} still belongs to {id}"
            ))),
        }
    }

    async fn settle(&self, cx: &StepCx<World>, effect: &Effect) -> Result<Settled, ActError> {
        Ok(World::settle(cx, &self.namenode, effect, FORMAT_LIMITS).await?)
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(600))
    }
}
