//! What a namenode says of itself: whether it takes writes, what it misses, and of which datanodes it hears.

use super::{Check, What};
use crate::act::ActError;
use crate::cluster::Node;
use crate::hdfs::{Blocks, Datanode, Hdfs, InService, View};
use crate::world::World;

/// Datanodes say every three seconds that they live. The namenode itself goes on believing in one for ten minutes.
const SILENT_AFTER_S: i64 = 30;

impl Check<'_> {
    /// Tells of a file system's namenode, and what that says of its blocks and of each slave's datanode.
    pub(super) async fn namenode(&self, hdfs: Hdfs) {
        let hub = self.inventory.first_master();
        let said = match self.ask_namenode(hdfs, hub).await {
            Ok(said) => said,
            // Without it, nothing can be said of the others.
            Err(error) => return self.tell(What::Namenode(hdfs), Some(hub), Err(error)),
        };
        let serves = match said.safe_mode.is_empty() {
            true => Ok("takes writes".to_owned()),
            false => Err(ActError::not_yet(format!("takes no writes: {}", said.safe_mode))),
        };
        self.tell(What::Namenode(hdfs), Some(hub), serves);
        let blocks = match said.blocks {
            Blocks {
                missing: 0,
                corrupt: 0,
            } => Ok("no block is missing".to_owned()),
            Blocks { missing: 0, .. } => Ok(said.blocks.text(hdfs)),
            _ => Err(ActError::wrong(said.blocks.text(hdfs))),
        };
        self.tell(What::Blocks(hdfs), Some(hub), blocks);
        for slave in &self.inventory.slaves {
            self.tell(
                What::Datanode(hdfs),
                Some(slave),
                heard_of(said.live.get(&slave.private_ip)),
            );
        }
    }

    async fn ask_namenode(&self, hdfs: Hdfs, hub: &Node) -> Result<View, ActError> {
        let answer = self.asker.run(hub, hdfs.beans_script(hub)).await?;
        hdfs.understood(hub, &answer.stdout)
    }
}

/// The blocks that a file system's namenode has not, or not whole.
///
/// # Errors
/// The node cannot be reached, or its namenode does not answer.
pub async fn blocks(hdfs: Hdfs, world: &World, hub: &Node) -> Result<Blocks, ActError> {
    Ok(hdfs.view(world, hub).await?.blocks)
}

fn heard_of(datanode: Option<&Datanode>) -> Result<String, ActError> {
    let Some(datanode) = datanode else {
        return Err(ActError::not_yet("is not known to the namenode as live"));
    };
    if datanode.last_contact > SILENT_AFTER_S {
        return Err(ActError::not_yet(format!(
            "has not been heard of by the namenode for {} s",
            datanode.last_contact
        )));
    }
    // Nobody but an operator, or a run that goes on or is told as unfinished, has it so.
    Ok(match datanode.service {
        InService::Yes => "is live".to_owned(),
        InService::Leaving(left) => format!("is live, and about to leave: {} blocks are left", left.blocks),
        InService::Left => "is live, and out of service: others have all its blocks".to_owned(),
        InService::Rests => "is live, and in maintenance".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hdfs::Left;

    #[test]
    fn a_datanode_that_leaves_is_live() {
        let heard = |last_contact, service| {
            let datanode = Datanode {
                last_contact,
                service,
                used: 0,
                remaining: 0,
            };
            heard_of(Some(&datanode)).map_err(|error| error.to_string())
        };
        let left = Left {
            blocks: 5,
            in_open_files: 0,
            on_none_else: 0,
        };
        assert_eq!(heard(1, InService::Yes).unwrap(), "is live");
        assert!(heard(1, InService::Leaving(left)).unwrap().contains("5 blocks"));
        assert!(heard(1, InService::Left).unwrap().contains("out of service"));
        assert!(heard(31, InService::Left).unwrap_err().contains("31 s"));
        assert!(heard_of(None).is_err());
    }
}
