//! Everything that a look is for, side by side.

use super::{Check, Task};
use crate::hdfs::Hdfs;

/// What a look has seen that its findings only say in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The name of the leading master.
    pub leading_master: Option<String>,
    /// The name of the ZooKeeper that leads.
    pub zookeeper_leader: Option<String>,
    /// What became of the task, where one was asked for and did not fail.
    pub task: Option<Task>,
    /// Whether Spark can use this Mesos; unknown where there is none, or nothing was heard.
    pub spark: Option<bool>,
}

impl Check<'_> {
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
        let ((), zookeeper_leader, (leader, task), spark, (), (), (), ()) = tokio::join!(
            self.nodes(),
            self.quorum(),
            of_mesos,
            Box::pin(self.spark()),
            self.namenode(Hdfs::Ephemeral),
            self.namenode(Hdfs::Persistent),
            Box::pin(self.checkpoint()),
            self.files(),
        );
        Seen {
            leading_master: leader.map(|leader| leader.name.clone()),
            zookeeper_leader,
            task,
            spark,
        }
    }
}
