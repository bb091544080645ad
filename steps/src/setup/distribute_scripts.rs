//! `distribute-scripts` (notes 2.9): the deployed folder and a key on every other node: masters get the one that opens all
//! nodes, since any of them may become the hub; the others one of their role, unless all are to have that one.
//!
//! - Changes: the folders on the node become what they are on the first master.
//! - Twice is safe: rsync moves what differs.
//! - Not undone.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::authorized::NodeKey;
use crate::cluster::{Node, Role};
use crate::hub::{self, ROLES_FOLDER, SCRIPTS_FOLDER, SSH_FOLDER};
use crate::world::World;

/// One copy of the scripts and the key.
#[derive(Debug, Serialize)]
pub struct DistributeScripts {
    /// The first master.
    pub hub: Node,
    /// The node that gets them.
    pub node: Node,
    /// Which key it gets.
    pub key: NodeKey,
    /// Digest of the rendered tree: another tree is another input.
    pub tree: String,
}

impl DistributeScripts {
    /// What is copied where.
    fn copies(&self) -> Vec<(String, &'static str)> {
        let mut copies = vec![(SCRIPTS_FOLDER.to_owned(), SCRIPTS_FOLDER)];
        copies.push(match self.key {
            NodeKey::Nodes => (SSH_FOLDER.to_owned(), SSH_FOLDER),
            NodeKey::Slave => (format!("{ROLES_FOLDER}/slave"), SSH_FOLDER),
            NodeKey::Zookeeper => (format!("{ROLES_FOLDER}/zookeeper"), SSH_FOLDER),
        });
        if self.node.role == Role::Master {
            copies.push((ROLES_FOLDER.to_owned(), ROLES_FOLDER));
        }
        copies
    }

    async fn is_there(&self, cx: &StepCx<World>) -> Result<bool, ActError> {
        for (folder, target) in self.copies() {
            if !hub::is_equal(cx.world(), &self.hub, &self.node, &folder, target).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Step for DistributeScripts {
    type World = World;
    type Output = ();
    type Error = ActError;

    const ID: StepId = StepId::from_static("distribute-scripts");

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(if self.is_there(cx).await? {
            Probe::Done(())
        } else {
            Probe::NotDone
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        for (folder, target) in self.copies() {
            hub::copy_to(cx.world(), &self.hub, &self.node, &folder, target).await?;
        }
        Ok(())
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        if self.is_there(cx).await? {
            return Ok(());
        }
        Err(ActError::not_yet(format!(
            "{} does not have what the first master has",
            self.node.name
        )))
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(600))
    }
}
