//! Each node by itself: it answers, and what starts by itself there runs.

use futures_util::future::join_all;

use super::{Check, What};
use crate::act::ActError;
use crate::cluster::Node;
use crate::service::down_script;

impl Check<'_> {
    /// Tells of each node whether it answers and whether its daemons run.
    pub async fn nodes(&self) {
        join_all(self.inventory.all().map(|node| self.node(node))).await;
    }

    async fn node(&self, node: &Node) {
        let session = self.asker.session(node);
        let answers = self.asker.in_time(node, "log in", session.ready()).await;
        let is_there = answers.is_ok();
        self.tell(What::Ssh, Some(node), answers.map(|()| "answers".to_owned()));
        if is_there {
            let daemons = self.daemons_of(node).await;
            self.tell(What::Daemons, Some(node), daemons);
        }
    }

    /// A cluster may do its work although a daemon of it is missing: replicas hide it.
    async fn daemons_of(&self, node: &Node) -> Result<String, ActError> {
        let down = self.asker.run(node, down_script()).await?.stdout_str();
        match down.is_empty() {
            true => Ok("all run".to_owned()),
            false => Err(ActError::wrong(down.lines().collect::<Vec<_>>().join("; "))),
        }
    }
}
