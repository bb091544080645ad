//! One look at a cluster: everything side by side, each finding told as it comes.

use std::time::Duration;

use mesosflow_workflow::Nonce;
use tokio::time::Instant;

use super::asker::{Asker, Ways};
use super::{Finding, Task, What};
use crate::act::ActError;
use crate::cluster::{Inventory, Node};
use crate::hdfs::Hdfs;

/// One look at a cluster: everything side by side, each finding told as it comes.
pub struct Check<'c> {
    pub(super) asker: Asker<'c>,
    pub(super) inventory: &'c Inventory,
    /// What its files and its task are called by.
    pub(super) nonce: String,
    pub(super) tell: &'c (dyn Fn(Finding) + Send + Sync),
}

/// What a look has seen that its findings only say in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The name of the leading master.
    pub leading_master: Option<String>,
    /// The name of the ZooKeeper that leads.
    pub zookeeper_leader: Option<String>,
    /// What became of the task, where one was asked for and did not fail.
    pub task: Option<Task>,
}

impl<'c> Check<'c> {
    /// A look at the nodes of `inventory`, which has to be over after `limit`: what gave no answer by then is bad.
    pub fn new(
        ways: &'c dyn Ways,
        inventory: &'c Inventory,
        limit: Duration,
        tell: &'c (dyn Fn(Finding) + Send + Sync),
    ) -> Self {
        Self {
            asker: Asker::new(ways, limit),
            inventory,
            nonce: Nonce::generate().to_string(),
            tell,
        }
    }

    /// Looks at everything at once, and runs a task where `with_task` says so.
    pub async fn all(&self, with_task: bool) -> Seen {
        let of_mesos = async {
            let leader = self.masters().await;
            let (agents, task) = tokio::join!(self.agents(leader), async {
                match with_task {
                    true => Some(self.run_task(leader).await),
                    false => None,
                }
            });
            (leader, task.and_then(|task| self.tell_task(task, &agents)))
        };
        let ((), zookeeper_leader, (leader, task), (), (), ()) = tokio::join!(
            self.nodes(),
            self.quorum(),
            of_mesos,
            self.namenode(Hdfs::Ephemeral),
            self.namenode(Hdfs::Persistent),
            self.files(),
        );
        Seen {
            leading_master: leader.map(|leader| leader.name.clone()),
            zookeeper_leader,
            task,
        }
    }

    pub(super) fn tell(&self, what: What, node: Option<&Node>, outcome: Result<String, ActError>) {
        (self.tell)(Finding {
            what,
            node: node.map(|node| node.name.clone()),
            outcome,
        });
    }

    pub(super) const fn until(&self) -> Instant {
        self.asker.until
    }
}
