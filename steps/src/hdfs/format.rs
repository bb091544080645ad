//! How a file system is made, and what is left of an earlier one.

use std::time::Duration;

use mesosflow_workflow::{EffectKey, ErrorClass, RunId};
use serde::{Deserialize, Serialize};

use super::Hdfs;
use crate::act::ActError;
use crate::cluster::Node;
use crate::mounts::ON_DISK;
use crate::remote::{JobLimits, RemoteError};
use crate::world::{Script, World, on_each};

/// A format takes seconds; a JVM on a starved machine takes its time to start.
pub(crate) const FORMAT_LIMITS: JobLimits = JobLimits {
    deadline: Duration::from_secs(240),
    silence: Duration::from_secs(240),
};
/// How long folders of blocks may take to be emptied.
const EMPTY_LIMIT: Duration = Duration::from_secs(240);

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

impl FileSystems {
    /// The clusterID of the persistent one.
    pub fn persistent_id(&self) -> &str {
        &self.persistent.cluster_id
    }
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

const OLDER: &str = shell!("hdfs-older.sh");

const FORMAT: &str = shell!("hdfs-format.sh");

const GIVE_UP: &str = shell!("hdfs-give-up.sh");

const EMPTY_DATA: &str = shell!("hdfs-empty-data.sh");
/// Prints the clusterIDs of a datanode's folders.
const DATA_IDS: &str = r#"IFS=,
on_disk $folders
for folder in $folders; do sed -n 's/^clusterID=//p' "$folder/current/VERSION" 2>/dev/null || true; done | sort -u"#;

impl Hdfs {
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

    /// Refuses a file system that the Hadoop that was chosen would have to upgrade first: its namenode would not start.
    ///
    /// # Errors
    /// It would, or the node cannot be reached.
    pub async fn refuse_older(self, world: &World, namenode: &Node) -> Result<(), ActError> {
        let title = format!("see that Hadoop can serve the {} file system", self.as_str());
        match world.run(namenode, self.script(&title, OLDER)).await {
            Ok(_) => Ok(()),
            Err(error) if error.exit_status() == Some(4) => Err(ActError::wrong(error.to_string()).hinted(
                "choose the Hadoop that it was made with, under `[hadoop]`: mesosflow upgrades no file system; or give it up with \
                 `mesosflow replay --from persistent-hdfs-format`",
            )),
            Err(error) => Err(error.into()),
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
        let script = self.script(&title, GIVE_UP).within(EMPTY_LIMIT);
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
                .within(EMPTY_LIMIT);
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
}

/// The clusterID of a format: derived from its effect, so that a format which is looked for can be told from another.
fn cluster_id(key: &EffectKey) -> String {
    format!("{ID_PREFIX}{key}")
}

/// What Hadoop's own clusterIDs begin with as well.
const ID_PREFIX: &str = "CID-";

/// The effect key of the format that gave this clusterID; none where it was no format of mesosflow's.
pub(super) fn made_by(cluster_id: &str) -> Option<&str> {
    let key = cluster_id.strip_prefix(ID_PREFIX)?;
    let (run, _) = key.split_once("-g")?;
    run.parse::<RunId>().is_ok().then_some(key)
}

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
        let key = format!("{run}-g1-persistent-hdfs-format");
        assert_eq!(made_by(&format!("CID-{key}")), Some(key.as_str()));
        for other in [
            "CID-6a2f-g1",
            "CID-0b2c7c9e-9f0e-4f5c-8f0a-5d7a0a5b1c2d",
            &key,
            "",
        ] {
            assert_eq!(made_by(other), None, "{other}");
        }
    }

    /// The generation of a Hadoop that is laid out, and the layout of a file system that is there.
    #[test]
    fn no_file_system_is_handed_to_another_generation_of_hadoop() {
        use std::fs;
        use std::os::unix::fs::symlink;
        use std::process::Command;

        for (laid_out, layout, is_refused) in [
            ("hadoop-2.7.3", Some("-63"), false),
            ("hadoop-2.7.3", Some("-65"), true),
            ("hadoop 2.7.7", Some("-63"), false),
            ("hadoop 3.3.6", Some("-63"), true),
            ("hadoop 3.3.6", Some("-66"), false),
            ("hadoop 3.3.6", None, false),
            ("the node's own", Some("-66"), false),
        ] {
            let place = tempfile::tempdir().unwrap();
            let below = |path: &str| place.path().join(path);
            let (folder, version) = laid_out.split_once(' ').unwrap_or((laid_out, ""));
            let program = match folder {
                "the" => below("usr/bin/hdfs"),
                folder => below(&format!("opt/mesosflow/{folder}/bin/hdfs")),
            };
            let link = below("root/persistent-hdfs/bin/hdfs");
            let current = below("name/current");
            for folder in [program.parent().unwrap(), link.parent().unwrap(), &current] {
                fs::create_dir_all(folder).unwrap();
            }
            fs::write(&program, "").unwrap();
            symlink(&program, &link).unwrap();
            if !version.is_empty() && folder != "the" {
                fs::write(below("opt/mesosflow/hadoop/version"), version).unwrap();
            }
            if let Some(layout) = layout {
                let text = format!("clusterID=x\nlayoutVersion={layout}\n");
                fs::write(current.join("VERSION"), text).unwrap();
            }
            let root = place.path().display().to_string();
            let script = OLDER
                .replace("/root/", &format!("{root}/root/"))
                .replace("/opt/mesosflow/", &format!("{root}/opt/mesosflow/"));
            let script =
                format!("on_disk() {{ :; }}\nhome={root} name={root}/name kind=persistent\n{script}");
            let ran = Command::new("sh").args(["-euc", &script]).output().unwrap();
            let expected = if is_refused { 4 } else { 0 };
            assert_eq!(ran.status.code(), Some(expected), "{laid_out} {layout:?} {ran:?}");
        }
    }
}
