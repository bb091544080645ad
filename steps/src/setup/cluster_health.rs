//! `cluster-health`: the cluster does its work, seen so: a file goes through both HDFS, ZooKeeper has one leader, the leading
//! master sees every slave, the shared volume is read on a slave; no daemon that starts by itself is down, and the persistent
//! HDFS has every block that it knows of.
//!
//! - Changes: a small file `/mesosflow-health` in each HDFS, which the next check replaces.
//! - Twice is safe.
//! - Nothing to undo.

use std::time::Duration;

use mesosflow_workflow::{ErrorClass, Limits, Probe, Retry, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::nfs_export::TOKEN;
use super::{NfsServer, down};
use crate::act::ActError;
use crate::cluster::{Inventory, Node};
use crate::hdfs::{Blocks, Hdfs};
use crate::world::{Script, World, on_each};
use crate::{mesos, zookeeper};

/// The step that makes the machines with the datanodes: a replay that names it gives up what is on them, and asks before.
const DATANODES: StepId = StepId::from_static("launch-slaves");

const HDFS_LIMIT: Duration = Duration::from_secs(120);
/// How long a datanode may take to tell of its blocks once it is live, and the pause between two looks.
const REPORT_LIMIT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Written on the first master, read on a slave: the block has crossed the network.
const WRITE: &str =
    r#"printf '%s\n' "$text" | "/root/$kind-hdfs/bin/hdfs" dfs -put -f - "/mesosflow-health""#;
const READ: &str = r#"[ "$("/root/$kind-hdfs/bin/hdfs" dfs -cat /mesosflow-health)" = "$text" ]"#;
const SEE_SHARED: &str = r#"[ "$(timeout 10 cat "/mnt/nfs/$file")" = "$token" ]"#;

/// What has to work.
#[derive(Debug, Serialize)]
pub struct ClusterHealth {
    /// The nodes.
    pub inventory: Inventory,
    /// The shared volume's server.
    pub shared: NfsServer,
    /// Whether machines with datanodes were given up on purpose: what only they had is told, and fails nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gives_up: bool,
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
    /// What an HDFS has lost all the same; none of the persistent one, with which the step fails unless all its machines were
    /// replaced on purpose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost_blocks: Vec<LostBlocks>,
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
        let count = |number: u64| match number {
            1 => "1 block".to_owned(),
            number => format!("{number} blocks"),
        };
        let mut said = Vec::new();
        if self.missing > 0 {
            said.push(format!("{} of which no copy is left", count(self.missing)));
        }
        if self.corrupt > 0 {
            said.push(format!("{} with a damaged copy", count(self.corrupt)));
        }
        format!("the {} HDFS has {}", self.hdfs, said.join(" and "))
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
    async fn hdfs(&self, cx: &StepCx<World>, hdfs: Hdfs) -> Result<(), ActError> {
        let text = format!("{} attempt {}", cx.effect_key(), cx.attempt());
        let script = |title, body| {
            Script::new(title, body)
                .var("kind", hdfs.as_str())
                .var("text", &text)
                .within(HDFS_LIMIT)
        };
        let (writer, reader) = (self.inventory.first_master(), &self.inventory.slaves[0]);
        cx.world()
            .run(writer, script("write a file to HDFS", WRITE))
            .await?;
        cx.world()
            .run(reader, script("read the file from HDFS", READ))
            .await?;
        Ok(())
    }

    /// One leader, the rest followers; checked here as a whole, since each server only knows its own mode.
    async fn zookeeper(&self, cx: &StepCx<World>) -> Result<Option<String>, ActError> {
        let servers = &self.inventory.zookeepers;
        let world = cx.world();
        let modes = on_each(servers, |node| async move { zookeeper::mode(world, node).await }).await?;
        let with = |mode: &str| -> Vec<&Node> {
            servers
                .iter()
                .zip(&modes)
                .filter(|(_, m)| m.as_deref() == Some(mode))
                .map(|(node, _)| node)
                .collect()
        };
        let (leaders, followers) = (with("leader"), with("follower"));
        match leaders[..] {
            [] if servers.is_empty() => Ok(None),
            [leader] if followers.len() + 1 == servers.len() => Ok(Some(leader.name.clone())),
            _ => Err(ActError::not_yet(format!(
                "the ZooKeepers are {modes:?}: not one leader and followers"
            ))),
        }
    }

    async fn slaves(&self, cx: &StepCx<World>) -> Result<String, ActError> {
        let Inventory { masters, slaves, .. } = &self.inventory;
        let leader = mesos::leader_with(cx.world(), masters, slaves).await?;
        leader.ok_or_else(|| ActError::not_yet("no leading master sees every slave"))
    }

    /// A cluster may do its work although a daemon of it is missing: replicas hide it.
    async fn daemons(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let (world, nodes) = (cx.world(), self.inventory.all());
        let down = on_each(nodes, |node| async move {
            let lines = down::on(world, node).await?;
            Ok::<_, ActError>(
                lines
                    .into_iter()
                    .map(move |line| format!("{}: {line}", node.name)),
            )
        });
        let lines: Vec<_> = down.await?.into_iter().flatten().collect();
        match lines.is_empty() {
            true => Ok(()),
            false => Err(ActError::wrong(format!("daemons are down: {}", lines.join("; ")))),
        }
    }

    /// What both file systems have lost. A datanode that was just started tells of its blocks within seconds.
    async fn lost_blocks(&self, cx: &StepCx<World>) -> Result<Vec<LostBlocks>, ActError> {
        let (world, hub) = (cx.world(), self.inventory.first_master());
        let give_up = Instant::now() + REPORT_LIMIT;
        loop {
            let mut all = Vec::new();
            for hdfs in [Hdfs::Ephemeral, Hdfs::Persistent] {
                let blocks = hdfs.blocks(world, hub).await?;
                all.extend((blocks != Blocks::default()).then(|| LostBlocks::new(hdfs, blocks)));
            }
            if all.is_empty() || Instant::now() >= give_up {
                return Ok(all);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn shared(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let see = || {
            let script = Script::new("read the token through /mnt/nfs", SEE_SHARED);
            script.var("file", TOKEN).var("token", &self.shared.token)
        };
        let world = cx.world();
        on_each(&self.inventory.slaves, |node| async move {
            world.run(node, see()).await.map(drop)
        })
        .await?;
        Ok(())
    }
}

impl Step for ClusterHealth {
    type World = World;
    type Output = Health;
    type Error = ActError;

    const ID: StepId = StepId::from_static("cluster-health");

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<Health>, ActError> {
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Health, ActError> {
        self.daemons(cx).await?;
        let (ephemeral, persistent, zookeeper_leader, leading_master, shared) = tokio::join!(
            self.hdfs(cx, Hdfs::Ephemeral),
            self.hdfs(cx, Hdfs::Persistent),
            self.zookeeper(cx),
            self.slaves(cx),
            self.shared(cx),
        );
        ephemeral?;
        persistent?;
        shared?;
        let lost_blocks = self.lost_blocks(cx).await?;
        let is_given_up = self.gives_up || cx.is_replaced_on_purpose(&DATANODES);
        if let Some(lost) = lost_blocks.iter().find(|lost| lost.is_loss() && !is_given_up) {
            return Err(lost.refusal());
        }
        for lost in &lost_blocks {
            tracing::warn!(target: "mesosflow::progress", "{}", lost.text());
        }
        Ok(Health {
            leading_master: leading_master?,
            zookeeper_leader: zookeeper_leader?,
            active_slaves: self.inventory.slaves.len(),
            hdfs: [Hdfs::Ephemeral, Hdfs::Persistent]
                .map(|hdfs| hdfs.as_str().to_owned())
                .to_vec(),
            lost_blocks,
        })
    }

    async fn verify(&self, _cx: &StepCx<World>, _health: &Health) -> Result<(), ActError> {
        Ok(())
    }

    fn limits(&self) -> Limits {
        // A leader may have just changed, or a datanode not yet reported: a few tries, no more.
        Limits {
            deadline: Duration::from_secs(300),
            retry: Retry {
                attempts: 4,
                ..Retry::STANDARD
            },
        }
    }
}
