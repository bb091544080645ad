//! `cluster-health`: the cluster does its work, seen so by the same [look](crate::check) that `mesosflow check` takes: every daemon that
//! starts by itself runs, ZooKeeper has one leader, the masters agree on one and that sees every slave, a file goes through both HDFS
//! and one through the shared volume, Mesos runs a task where it can, and Spark a job that writes to both HDFS, unless `spark.check` is
//! false. The persistent HDFS has every block that it knows of.
//!
//! - Changes: nothing that stays; see [`crate::check`].
//! - Twice is safe.
//! - Nothing to undo.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mesosflow_workflow::{ErrorClass, Limits, Probe, Retry, Step, StepCx, StepError as _, StepId};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::NfsServer;
use crate::act::ActError;
use crate::check::{self, Check, Extent, Finding, Task, What};
use crate::cluster::{Inventory, input};
use crate::hdfs::{Blocks, Hdfs};
use crate::world::World;

/// The step that makes the machines with the datanodes: a replay that names it gives up what is on them, and asks before.
const DATANODES: StepId = StepId::from_static("launch-slaves");

/// How long the look may take: every program of Java that it starts does so in seconds, on a starved machine in a minute.
const LOOK_LIMIT: Duration = Duration::from_secs(240);
/// The same of a job of Spark's: ten seconds on an idle machine, 130 s were seen where the load was eight times its processors.
const JOB_LIMIT: Duration = Duration::from_secs(600);
/// How long a datanode may take to tell of its blocks once it is live, and the pause between two looks.
const REPORT_LIMIT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What has to work.
#[derive(Debug, Serialize)]
pub struct ClusterHealth {
    /// The nodes.
    #[serde(serialize_with = "input::inventory")]
    pub inventory: Inventory,
    /// The shared volume's server, without which there is none to see.
    pub shared: NfsServer,
    /// Whether machines with datanodes were given up on purpose: what only they had is told, and fails nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gives_up: bool,
    /// Whether Spark is spared its job.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_spark_job: bool,
}

/// What was seen to work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The leading master.
    pub leading_master: String,
    /// The leader of the ZooKeepers; none without them.
    pub zookeeper_leader: Option<String>,
    /// Slaves that are registered and active.
    pub active_slaves: usize,
    /// HDFS through which a file went.
    pub hdfs: Vec<String>,
    /// What became of a task; unknown of runs by a version that ran none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// What an HDFS has lost all the same; none of the persistent one, with which the step fails unless all its machines were
    /// replaced on purpose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost_blocks: Vec<LostBlocks>,
    /// Whether there is a Spark that cannot use this Mesos.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spark_is_local: bool,
    /// What became of a job of Spark's, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spark_job: Option<Task>,
}

/// Blocks that a file system knows of and cannot give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostBlocks {
    /// The file system: `ephemeral` or `persistent`.
    pub hdfs: String,
    /// Blocks of which no good copy is left.
    pub missing: u64,
    /// Blocks with a copy that is damaged, also where others are good.
    pub corrupt: u64,
}

impl LostBlocks {
    fn new(hdfs: Hdfs, Blocks { missing, corrupt }: Blocks) -> Self {
        Self {
            hdfs: hdfs.as_str().to_owned(),
            missing,
            corrupt,
        }
    }

    /// The loss as a sentence fragment.
    pub fn text(&self) -> String {
        let blocks = Blocks {
            missing: self.missing,
            corrupt: self.corrupt,
        };
        let hdfs = [Hdfs::Ephemeral, Hdfs::Persistent];
        let hdfs = hdfs.into_iter().find(|hdfs| hdfs.as_str() == self.hdfs);
        blocks.text(hdfs.unwrap_or(Hdfs::Persistent))
    }

    /// Whether it is data that somebody was promised to find again.
    fn is_loss(&self) -> bool {
        self.hdfs == Hdfs::Persistent.as_str() && self.missing > 0
    }

    /// Only its owner can say whether what is lost may be: the ways out are those by which they say so.
    fn refusal(&self) -> ActError {
        let hdfs = "/root/persistent-hdfs/bin/hdfs";
        ActError::Unmet {
            what: self.text(),
            class: ErrorClass::Operator,
            hint: Some(format!(
                "bring the machine back whose disk has them, then `mesosflow resume`; or give up the files that they belong to, which \
                 `{hdfs} fsck / -list-corruptfileblocks` names on the first master: there by `{hdfs} fsck / -delete`, then \
                 `mesosflow resume`, or all that the file system holds by `mesosflow replay --from persistent-hdfs-format`"
            )),
        }
    }
}

impl ClusterHealth {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("cluster-health");

    /// Looks, and fails with what is bad: first that somebody else drives, then in the order of [`What`]. What is missing of a file system
    /// is judged by the step itself.
    async fn look(&self, cx: &StepCx<World>) -> Result<check::Seen, ActError> {
        let bad = Mutex::new(Vec::new());
        let tell = |finding: Finding| {
            if finding.outcome.is_err() && !matches!(finding.what, What::Blocks(_)) {
                bad.lock().unwrap_or_else(PoisonError::into_inner).push(finding);
            }
        };
        let world: &World = cx.world();
        let check = Check::new(world, &self.inventory, (LOOK_LIMIT, JOB_LIMIT), &tell);
        let failed = || {
            let mut bad = bad.lock().unwrap_or_else(PoisonError::into_inner);
            worst(std::mem::take(&mut *bad)).map_or(Ok(()), Err)
        };
        // What is down makes the rest slow, and is to be told by itself.
        check.nodes().await;
        failed()?;
        let extent = match self.no_spark_job {
            true => Extent::Task,
            false => Extent::Deep,
        };
        let seen = check.all(extent).await;
        failed()?;
        Ok(seen)
    }

    /// What both file systems have lost. A datanode that was just started tells of its blocks within seconds.
    async fn lost_blocks(&self, cx: &StepCx<World>) -> Result<Vec<LostBlocks>, ActError> {
        let (world, hub) = (cx.world(), self.inventory.first_master());
        let give_up = Instant::now() + REPORT_LIMIT;
        loop {
            let mut all = Vec::new();
            for hdfs in [Hdfs::Ephemeral, Hdfs::Persistent] {
                let blocks = check::blocks(hdfs, world, hub).await?;
                all.extend((blocks != Blocks::default()).then(|| LostBlocks::new(hdfs, blocks)));
            }
            if all.is_empty() || Instant::now() >= give_up {
                return Ok(all);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// The error of the findings that are bad: the first one's, with those of the same kind beside it.
fn worst(mut bad: Vec<Finding>) -> Option<ActError> {
    let fenced = |finding: &Finding| {
        let class = finding.outcome.as_ref().err().map(ActError::class);
        class == Some(ErrorClass::Fenced)
    };
    bad.sort_by(|a, b| {
        let order = |finding: &Finding| (!fenced(finding), finding.what);
        order(a).cmp(&order(b)).then_with(|| a.node.cmp(&b.node))
    });
    let first = bad.first()?.what;
    let is_fenced = fenced(&bad[0]);
    let alike = |finding: &&Finding| finding.what == first;
    if is_fenced || bad.iter().filter(alike).count() == 1 && bad[0].node.is_none() {
        return bad.swap_remove(0).outcome.err();
    }
    let said: Vec<_> = bad
        .iter()
        .filter(alike)
        .map(|finding| match &finding.node {
            Some(node) => format!("{node}: {}", finding.detail()),
            None => finding.detail(),
        })
        .collect();
    let hint = bad[0].hint();
    Some(ActError::Unmet {
        what: format!("{first}: {}", said.join("; ")),
        class: bad[0]
            .outcome
            .as_ref()
            .err()
            .map_or(ErrorClass::Transient, ActError::class),
        hint,
    })
}

impl Step for ClusterHealth {
    type World = World;
    type Output = Health;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<Health>, ActError> {
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Health, ActError> {
        let seen = self.look(cx).await?;
        let lost_blocks = self.lost_blocks(cx).await?;
        let is_given_up = self.gives_up || cx.is_replaced_on_purpose(&DATANODES);
        if let Some(lost) = lost_blocks.iter().find(|lost| lost.is_loss() && !is_given_up) {
            return Err(lost.refusal());
        }
        for lost in &lost_blocks {
            tracing::warn!(target: "mesosflow::progress", "{}", lost.text());
        }
        Ok(Health {
            leading_master: seen.leading_master.unwrap_or_default(),
            zookeeper_leader: seen.zookeeper_leader,
            active_slaves: self.inventory.slaves.len(),
            hdfs: [Hdfs::Ephemeral, Hdfs::Persistent]
                .map(|hdfs| hdfs.as_str().to_owned())
                .to_vec(),
            task: seen.task,
            lost_blocks,
            spark_is_local: seen.spark == Some(false),
            spark_job: seen.spark_job,
        })
    }

    async fn verify(&self, _cx: &StepCx<World>, _health: &Health) -> Result<(), ActError> {
        Ok(())
    }

    fn limits(&self) -> Limits {
        // A leader may have just changed, or a datanode not yet reported: a few tries, no more.
        Limits {
            deadline: JOB_LIMIT + LOOK_LIMIT,
            retry: Retry {
                attempts: 4,
                ..Retry::STANDARD
            },
        }
    }
}
