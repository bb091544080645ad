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
    /// What became of a job of Spark's, where one was asked for and did not fail.
    pub spark_job: Option<Task>,
}

/// How far a look goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// It runs nothing on Mesos.
    Idle,
    /// It runs a task.
    Task,
    /// It also runs a job of Spark's, where there is Spark.
    Deep,
}

impl Check<'_> {
    /// Looks at everything at once.
    pub async fn all(&self, extent: Extent) -> Seen {
        let of_mesos = async {
            let leader = self.masters().await;
            let (agents, task) = tokio::join!(self.agents(leader), async {
                match extent {
                    Extent::Idle => None,
                    Extent::Task | Extent::Deep => Some(self.run_task(leader).await),
                }
            });
            (leader, task.and_then(|task| self.tell_task(task, &agents)))
        };
        let of_spark = async {
            let has_bindings = self.spark().await;
            let job = match (extent, has_bindings) {
                (Extent::Deep, Some(on_mesos)) => self.spark_job(on_mesos).await,
                _ => None,
            };
            (has_bindings, job)
        };
        let ((), zookeeper_leader, (leader, task), (spark, spark_job), (), (), (), ()) = tokio::join!(
            self.nodes(),
            self.quorum(),
            of_mesos,
            Box::pin(of_spark),
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
            spark_job,
        }
    }
}
