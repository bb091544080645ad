//! The two HDFS: where they live, how they are formatted, started and asked.

use std::time::Duration;

use mesosflow_workflow::{EffectKey, ErrorClass, RunId};
use serde::{Deserialize, Serialize};

use crate::act::ActError;
use crate::cluster::Node;
use crate::mounts::ON_DISK;
use crate::remote::{JobLimits, RemoteError};
use crate::service::{DEPLOYED_UNITS, Service};
use crate::world::{Script, World, on_each};

/// A format takes seconds; a JVM on a starved machine takes its time to start.
pub(crate) const FORMAT_LIMITS: JobLimits = JobLimits {
    deadline: Duration::from_secs(240),
    silence: Duration::from_secs(240),
};
/// A namenode of a small cluster is up in seconds; a large image is read at some 10 MB/s.
const START_LIMIT: Duration = Duration::from_secs(240);

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hdfs {
    /// On ephemeral disks: formatted for every generation of a cluster.
    Ephemeral,
    /// On the volume: an existing one is never formatted over unless the user names that very step.
    Persistent,
}

/// A formatted file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formatted {
    /// The clusterID of its VERSION, which every datanode must have.
    pub cluster_id: String,
}

/// Both file systems of a cluster that works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystems {
    /// The ephemeral HDFS.
    pub ephemeral: Formatted,
    /// The persistent HDFS.
    pub persistent: Formatted,
}

/// What the disk of a namenode holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameFolder {
    /// Nothing.
    Empty,
    /// A VERSION without an image, or an image without its checksum: a format that was cut off, or a damage.
    Half,
    /// A complete file system.
    Complete {
        /// Its clusterID.
        cluster_id: String,
        /// The effect key of the format that made it, as far as mesosflow made it.
        made_by: Option<String>,
    },
}

const LOOK: &str = shell!("hdfs-look.sh");

const FORMAT: &str = shell!("hdfs-format.sh");

const GIVE_UP: &str = shell!("hdfs-give-up.sh");

const EMPTY_DATA: &str = shell!("hdfs-empty-data.sh");
/// Prints the clusterIDs of a datanode's folders.
const DATA_IDS: &str = r#"IFS=,
on_disk $folders
for folder in $folders; do sed -n 's/^clusterID=//p' "$folder/current/VERSION" 2>/dev/null || true; done | sort -u"#;

const IS_LIVE: &str = shell!("hdfs-is-live.sh");

/// What the namenode says of itself, in two documents. Missing blocks are `NumberOfMissingBlocks`, which is counted when it is asked
/// for; `MissingBlocks` is a metric, which is up to ten seconds old.
const BEANS: &str = r#"ask="http://$address:$ui/jmx?qry=Hadoop:service=NameNode,name"
curl -fsS --max-time 10 "$ask=NameNodeInfo" "$ask=FSNamesystem""#;

/// What a file system knows of and cannot give, or not from each of its copies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Blocks {
    /// Blocks of which no good copy is left.
    pub missing: u64,
    /// Blocks with a damaged copy, also where others are good.
    pub corrupt: u64,
}

impl Blocks {
    /// What is missing and what is damaged, as a sentence fragment about the file system.
    pub fn text(self, hdfs: Hdfs) -> String {
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
        format!("the {} HDFS has {}", hdfs.as_str(), said.join(" and "))
    }
}

impl Hdfs {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ephemeral => "ephemeral",
            Self::Persistent => "persistent",
        }
    }

    /// Where it lives on a node.
    const fn home(self) -> &'static str {
        match self {
            Self::Ephemeral => "/mnt/ephemeral-hdfs",
            Self::Persistent => "/vol/persistent-hdfs",
        }
    }

    /// Port of the namenode's web interface.
    pub const fn ui_port(self) -> u16 {
        match self {
            Self::Ephemeral => 50070,
            Self::Persistent => 60070,
        }
    }

    /// Port of the namenode.
    pub const fn port(self) -> u16 {
        match self {
            Self::Ephemeral => 9000,
            Self::Persistent => 9010,
        }
    }

    const fn namenode(self) -> Service {
        match self {
            Self::Ephemeral => Service {
                unit: "ephemeral-hdfs-namenode.service",
                units: DEPLOYED_UNITS,
                config: "/root/ephemeral-hdfs/conf",
            },
            Self::Persistent => Service {
                unit: "persistent-hdfs-namenode.service",
                units: DEPLOYED_UNITS,
                config: "/root/persistent-hdfs/conf",
            },
        }
    }

    const fn datanode(self) -> Service {
        match self {
            Self::Ephemeral => Service {
                unit: "ephemeral-hdfs-datanode.service",
                units: DEPLOYED_UNITS,
                config: "/root/ephemeral-hdfs/conf",
            },
            Self::Persistent => Service {
                unit: "persistent-hdfs-datanode.service",
                units: DEPLOYED_UNITS,
                config: "/root/persistent-hdfs/conf",
            },
        }
    }

    fn script<'a>(self, title: &'a str, body: &'a str) -> Script<'a> {
        let home = self.home();
        Script::new(title, body)
            .before(ON_DISK)
            .var("home", home)
            .var("name", format!("{home}/name"))
            .var("kind", self.as_str())
    }

    /// What the namenode's disk holds.
    ///
    /// # Errors
    /// The node cannot be reached.
    pub async fn look(self, world: &World, namenode: &Node) -> Result<NameFolder, ActError> {
        let title = format!("look at the {} namenode's folder", self.as_str());
        let answer = world.run(namenode, self.script(&title, LOOK)).await?.stdout_str();
        let mut words = answer.split_whitespace();
        match (words.next(), words.next()) {
            (Some("empty"), _) => Ok(NameFolder::Empty),
            (Some("half"), _) => Ok(NameFolder::Half),
            (Some("complete"), Some(id)) => Ok(NameFolder::Complete {
                cluster_id: id.to_owned(),
                made_by: words.next().map(str::to_owned),
            }),
            _ => Err(ActError::wrong(format!(
                "{title} on {}: cannot understand {answer:?}",
                namenode.name
            ))),
        }
    }

    /// Stops every daemon of this file system and sees them gone.
    ///
    /// # Errors
    /// A node cannot be reached.
    pub async fn stop(self, world: &World, namenode: &Node, slaves: &[Node]) -> Result<(), RemoteError> {
        on_each(
            slaves,
            |slave| async move { self.datanode().stop(world, slave).await },
        )
        .await?;
        self.namenode().stop(world, namenode).await
    }

    /// Stops every daemon of this file system until somebody starts it, datanodes first.
    ///
    /// # Errors
    /// A node cannot be reached.
    pub async fn retire(
        self,
        world: &World,
        namenode: Option<&Node>,
        slaves: &[Node],
    ) -> Result<(), RemoteError> {
        on_each(slaves, |slave| async move {
            self.datanode().retire(world, slave).await
        })
        .await?;
        match namenode {
            Some(namenode) => self.namenode().retire(world, namenode).await,
            None => Ok(()),
        }
    }

    /// Whether none of its daemons runs, or will after a reboot.
    ///
    /// # Errors
    /// A node cannot be reached.
    pub async fn is_retired(
        self,
        world: &World,
        namenode: Option<&Node>,
        slaves: &[Node],
    ) -> Result<bool, RemoteError> {
        let stopped = on_each(slaves, |slave| async move {
            self.datanode().is_retired(world, slave).await
        });
        if stopped.await?.contains(&false) {
            return Ok(false);
        }
        match namenode {
            Some(namenode) => self.namenode().is_retired(world, namenode).await,
            None => Ok(true),
        }
    }

    /// ClusterIDs that the datanodes' disks hold, by node.
    ///
    /// # Errors
    /// A node cannot be reached.
    pub async fn data_ids(
        self,
        world: &World,
        slaves: &[Node],
        folders: &str,
    ) -> Result<Vec<(String, String)>, RemoteError> {
        let title = format!("look at the {} datanode's folders", self.as_str());
        let found = on_each(slaves, |slave| {
            let script = self.script(&title, DATA_IDS).var("folders", folders);
            async move { Ok::<_, RemoteError>((slave.name.clone(), world.run(slave, script).await?.stdout_str())) }
        });
        let found = found.await?;
        let ids = found
            .iter()
            .flat_map(|(node, ids)| ids.lines().map(move |id| (node.clone(), id.to_owned())));
        Ok(ids.collect())
    }

    /// Gives the namenode's file system up, marker first: what was there does not count from here on, whatever comes between.
    ///
    /// # Errors
    /// The node cannot be reached.
    pub async fn give_up(self, world: &World, namenode: &Node) -> Result<(), RemoteError> {
        let title = format!("give up what the {} namenode holds", self.as_str());
        let script = self.script(&title, GIVE_UP).within(START_LIMIT);
        world.run(namenode, script).await.map(drop)
    }

    /// Empties the datanodes' folders: blocks of another file system would keep them from registering.
    ///
    /// # Errors
    /// A node cannot be reached.
    pub async fn empty_data(self, world: &World, slaves: &[Node], folders: &str) -> Result<(), RemoteError> {
        let title = format!("empty the {} datanode's folders", self.as_str());
        on_each(slaves, |slave| {
            let script = self
                .script(&title, EMPTY_DATA)
                .var("folders", folders)
                .within(START_LIMIT);
            async move { world.run(slave, script).await.map(drop) }
        })
        .await?;
        Ok(())
    }

    /// Formats the namenode as a durable job named by `key`; one that runs already is waited for.
    ///
    /// # Errors
    /// The node cannot be reached, or the format fails; ambiguous when the job was killed, and free to begin again.
    pub async fn format(self, world: &World, namenode: &Node, key: &EffectKey) -> Result<(), ActError> {
        let title = format!("format the {} namenode", self.as_str());
        let script = self
            .script(&title, FORMAT)
            .var("key", key)
            .var("id", cluster_id(key));
        match world.job(namenode, key, script, FORMAT_LIMITS).await {
            Ok(_) => Ok(()),
            // It ended without its marker, so nothing was stored on it: the next try may begin afresh.
            Err(error @ (RemoteError::JobLost { .. } | RemoteError::Exit { .. })) => Err(ActError::Unmet {
                what: error.to_string(),
                class: ErrorClass::Ambiguous,
                hint: None,
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the namenode serves this very file system with all its datanodes, and takes writes.
    ///
    /// # Errors
    /// The node cannot be reached.
    pub async fn is_live(
        self,
        world: &World,
        namenode: &Node,
        slaves: &[Node],
        formatted: &Formatted,
    ) -> Result<bool, RemoteError> {
        if !self.namenode().is_current(world, namenode).await? {
            return Ok(false);
        }
        let datanodes = on_each(slaves, |slave| async move {
            self.datanode().is_current(world, slave).await
        })
        .await?;
        if datanodes.contains(&false) {
            return Ok(false);
        }
        world
            .ask(
                namenode,
                self.liveness("ask the namenode for its datanodes", namenode, slaves, formatted),
            )
            .await
    }

    /// The script that asks the namenode, on its node, for what it says of itself: its beans `NameNodeInfo` and `FSNamesystem`.
    pub fn beans_script(self, namenode: &Node) -> Script<'static> {
        let title = match self {
            Self::Ephemeral => "ask the ephemeral namenode how it is",
            Self::Persistent => "ask the persistent namenode how it is",
        };
        Script::new(title, BEANS)
            .var("address", namenode.private_ip)
            .var("ui", self.ui_port())
    }

    fn liveness<'a>(
        self,
        title: &'a str,
        namenode: &Node,
        slaves: &[Node],
        formatted: &Formatted,
    ) -> Script<'a> {
        self.script(title, IS_LIVE)
            .var("address", namenode.private_ip)
            .var("ui", self.ui_port())
            .var("wanted", slaves.len())
            .var("cluster_id", &formatted.cluster_id)
    }

    /// Starts what does not run as it should, and waits until every datanode is live and writes are taken.
    ///
    /// # Errors
    /// A daemon does not come up; says what it said last.
    pub async fn start(
        self,
        world: &World,
        namenode: &Node,
        slaves: &[Node],
        formatted: &Formatted,
    ) -> Result<(), ActError> {
        let datanodes = on_each(slaves, |slave| async move {
            self.datanode().ensure(world, slave).await
        });
        let service = self.namenode();
        let (namenode_started, datanodes_started) = tokio::join!(service.ensure(world, namenode), datanodes);
        namenode_started?;
        datanodes_started?;
        let what = format!("waiting for {} live {} datanodes", slaves.len(), self.as_str());
        let live = self.liveness("ask the namenode for its datanodes", namenode, slaves, formatted);
        match world.wait_until(namenode, START_LIMIT, &what, live).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.namenode().explain(world, namenode, error).await),
        }
    }
}

/// The clusterID of a format: derived from its effect, so that a format which is looked for can be told from another.
fn cluster_id(key: &EffectKey) -> String {
    format!("{ID_PREFIX}{key}")
}

/// What Hadoop's own clusterIDs begin with as well.
const ID_PREFIX: &str = "CID-";

/// Whether a format with this effect key is one of the run's.
pub(crate) fn is_made_by_run(key: &str, run: RunId) -> bool {
    key.strip_prefix(&run.to_string())
        .is_some_and(|rest| rest.starts_with("-g"))
}

/// Whether the format that gave this clusterID is one of the run's.
pub(crate) fn is_of_run(cluster_id: &str, run: RunId) -> bool {
    cluster_id
        .strip_prefix(ID_PREFIX)
        .is_some_and(|key| is_made_by_run(key, run))
}

/// Folders of the persistent datanodes.
pub(crate) const PERSISTENT_DATA: &str = "/vol/persistent-hdfs/data";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_key_tells_whose_it_is() {
        let (run, other) = (RunId::generate(), RunId::generate());
        assert!(is_made_by_run(&format!("{run}-g1-hdfs-format"), run));
        assert!(is_made_by_run(&format!("{run}-g2-hdfs-format.1"), run));
        assert!(!is_made_by_run(&format!("{other}-g1-hdfs-format"), run));
        assert!(!is_made_by_run("", run));
    }
}
