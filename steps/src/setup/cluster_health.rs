//! `cluster-health`: the cluster does its work, seen so: a file goes through both HDFS, ZooKeeper has one leader, the leading
//! master sees every slave, the shared volume is read on a slave; no daemon that starts by itself is down.
//!
//! - Changes: a small file `/mesosflow-health` in each HDFS, which the next check replaces.
//! - Twice is safe.
//! - Nothing to undo.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Retry, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};

use super::NfsServer;
use super::nfs_export::TOKEN;
use crate::act::ActError;
use crate::cluster::{Inventory, Node};
use crate::hdfs::Hdfs;
use crate::mounts::{DOWN, ON_DISK};
use crate::world::{Script, World, on_each};
use crate::{mesos, zookeeper};

const HDFS_LIMIT: Duration = Duration::from_secs(120);

/// Written on the first master, read on a slave: the block has crossed the network.
const WRITE: &str =
    r#"printf '%s\n' "$text" | "/root/$kind-hdfs/bin/hdfs" dfs -put -f - "/mesosflow-health""#;
const READ: &str = r#"[ "$("/root/$kind-hdfs/bin/hdfs" dfs -cat /mesosflow-health)" = "$text" ]"#;
/// A cluster may do its work although a daemon of it is missing: replicas hide it.
const NONE_IS_DOWN: &str = r#"lines=$(down)
[ -z "$lines" ] || { echo "$lines" >&2; exit 4; }"#;
const SEE_SHARED: &str = r#"[ "$(timeout 10 cat "/mnt/nfs/$file")" = "$token" ]"#;

/// What has to work.
#[derive(Debug, Serialize)]
pub struct ClusterHealth {
    /// The nodes.
    pub inventory: Inventory,
    /// The shared volume's server.
    pub shared: NfsServer,
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

    async fn daemons(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let look = || {
            let script = Script::new("look for daemons that are down", NONE_IS_DOWN);
            script.before(ON_DISK).before(DOWN)
        };
        let (world, nodes) = (cx.world(), self.inventory.all());
        on_each(
            nodes,
            |node| async move { world.run(node, look()).await.map(drop) },
        )
        .await?;
        Ok(())
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
        Ok(Health {
            leading_master: leading_master?,
            zookeeper_leader: zookeeper_leader?,
            active_slaves: self.inventory.slaves.len(),
            hdfs: [Hdfs::Ephemeral, Hdfs::Persistent]
                .map(|hdfs| hdfs.as_str().to_owned())
                .to_vec(),
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
