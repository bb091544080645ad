//! `/opt/mesosflow` and the links to it: looked for, laid out on the first master, copied to the others.

use std::path::Path;
use std::time::Duration;

use mesosflow_workflow::EffectKey;
use serde::Serialize;

use super::choice::Choice;
use super::recipe::FOLDER;
use super::{donor, packages, recipe};
use crate::act::ActError;
use crate::aside;
use crate::claim;
use crate::cluster::{ClusterSpec, Node, Tarball};
use crate::hub;
use crate::remote::{JobLimits, RemoteError, TreeOptions};
use crate::world::{Script, World};

/// How long the first master may take: 540 MB, at a tenth of a megabyte a second at worst, which the download itself
/// watches; then twenty seconds of unpacking.
pub(crate) const LAY_OUT_LIMIT: Duration = Duration::from_secs(5600);
/// Linking waits for the disk to have it all.
const LINK_LIMIT: Duration = Duration::from_secs(180);

/// What `layout.sh` says where the archive could not be had: another time it may.
const NOT_DOWNLOADED: i32 = 75;
/// What it says of a tarball that is not what it has to be.
const REFUSED: i32 = 4;

/// Java is not part of the layout, and nothing of it works without.
const READY: &str = r#"[ "$(cat /opt/mesosflow/software 2>/dev/null)" = "$digest" ] || exit 1
command -v java >/dev/null || exit 1
bash /opt/mesosflow/layout/layout.sh check / || exit 1"#;
const LAY_OUT: &str = shell!("software-lay-out.sh");
const FORGET_MARK: &str = "rm -f /opt/mesosflow/software";
const LINK: &str = "bash /opt/mesosflow/layout/layout.sh link /";

const LACKS: &str = r#"bash "$folder/layout/layout.sh" lacks / "$name" || exit 1"#;

const CLAIM_HOMES: &str = shell!("software-claim-homes.sh");

/// Sees that `homes` ([`Choice::homes`]) on a node are mesosflow's; moves aside what is not.
///
/// # Errors
/// The node cannot be reached, or a folder cannot be moved (it is a mount point, say).
pub(crate) async fn claim_homes(world: &World, node: &Node, homes: &str) -> Result<(), RemoteError> {
    let script = Script::new("make way for HDFS and Spark", CLAIM_HOMES).before(aside::FUNCTIONS);
    world.run(node, script.var("homes", homes)).await?;
    claim::tell(world, node).await
}

/// Hadoop, Spark and ZooKeeper on one node.
///
/// Its node and the first master are no input of their own: they are those of the step that it belongs to.
#[derive(Debug, Clone, Serialize)]
pub struct Software {
    #[serde(skip)]
    node: Node,
    #[serde(skip)]
    hub: Option<Node>,
    /// Who may have what the first master's tarballs are needed for.
    #[serde(skip)]
    others: Vec<Node>,
    /// Another place of the archives than PyPI; the first master's business.
    #[serde(rename = "archive_url", skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// What was chosen instead.
    #[serde(flatten)]
    choice: Choice,
}

impl Software {
    /// Those of the job that lays it out on the first master.
    pub const LIMITS: JobLimits = JobLimits {
        deadline: LAY_OUT_LIMIT,
        silence: LAY_OUT_LIMIT,
    };

    /// Whether it is the first master's.
    pub(crate) const fn is_first(&self) -> bool {
        self.hub.is_none()
    }

    /// The software of the first master, which downloads it, or has a part of it from one of the others.
    pub fn first(spec: &ClusterSpec, node: Node, others: Vec<Node>) -> Self {
        Self {
            node,
            hub: None,
            others,
            url: spec.archive_url.clone(),
            choice: Choice::of(spec),
        }
    }

    /// The software of another node, which gets it from `hub`.
    pub fn from_hub(spec: &ClusterSpec, hub: Node, node: Node) -> Self {
        Self {
            node,
            hub: Some(hub),
            others: Vec::new(),
            url: None,
            choice: Choice::of(spec),
        }
    }

    /// Whether the node has this very layout, by the mark and by a look at the files.
    ///
    /// # Errors
    /// The node cannot be reached.
    pub async fn is_ready(&self, world: &World) -> Result<bool, ActError> {
        let look = Script::new("look for Hadoop, Spark and ZooKeeper", READY)
            .var("digest", recipe::digest(self.choice.text().as_deref()));
        Ok(world.ask(&self.node, look).await?)
    }

    /// Gives the node what it lacks. On the first master that is a durable job under `key`.
    ///
    /// # Errors
    /// The node cannot be reached, a program of its system is missing, or the archive cannot be had.
    pub async fn make(&self, world: &World, key: &EffectKey) -> Result<(), ActError> {
        if self.is_ready(world).await? {
            return Ok(());
        }
        packages::require(world, &self.node, packages::NEEDED).await?;
        self.choice.require(world, &self.node).await?;
        claim_homes(world, &self.node, self.choice.homes()).await?;
        match &self.hub {
            None => self.lay_out(world, key).await,
            Some(hub) => self.copy(world, hub).await,
        }
    }

    /// Refuses unless the node has it.
    ///
    /// # Errors
    /// It has not.
    pub async fn verify(&self, world: &World) -> Result<(), ActError> {
        if self.is_ready(world).await? {
            return Ok(());
        }
        Err(ActError::not_yet(format!(
            "{} lacks a part of Hadoop, Spark or ZooKeeper after its set-up",
            self.node.name
        )))
    }

    async fn lay_out(&self, world: &World, key: &EffectKey) -> Result<(), ActError> {
        let unwritable = |source| ActError::Local {
            doing: "cannot write the layout of the software to a temporary folder".into(),
            source,
        };
        let folder = tempfile::tempdir().map_err(unwritable)?;
        recipe::write_to(folder.path(), self.choice.text().as_deref()).map_err(unwritable)?;
        let options = TreeOptions {
            delete: true,
            ..TreeOptions::default()
        };
        world
            .session(&self.node)
            .upload_tree(folder.path(), &format!("{FOLDER}/layout"), options)
            .await?;
        for (name, tarball, _) in self.choice.tarballs() {
            let look = Script::new("see whether a tarball is needed", LACKS)
                .var("folder", FOLDER)
                .var("name", name);
            let Some(made_from) = world.answer(&self.node, look).await? else {
                continue;
            };
            let of_it = (name, made_from.trim());
            if donor::bring(world, &self.node, &self.others, of_it).await? {
                continue;
            }
            if let Tarball::Here(path) = tarball {
                self.send(world, name, path).await?;
            }
        }
        let script = Script::new("put Hadoop, Spark and ZooKeeper in place", LAY_OUT)
            .var("folder", FOLDER)
            .var("url", self.url.as_deref().unwrap_or_default())
            .var("chosen", self.choice.lines());
        let Err(error) = world.job(&self.node, key, script, Self::LIMITS).await else {
            return Ok(());
        };
        Err(match error.exit_status() {
            Some(NOT_DOWNLOADED) => ActError::not_yet(error.to_string()).hinted(format!(
                "see that {} reaches the address of the archive, or name another one that has it",
                self.node.name
            )),
            Some(REFUSED) => ActError::wrong(error.to_string())
                .hinted(
                    "the run keeps to the tarball that it began with: put that one back where it was and resume; a new cluster may have another one",
                ),
            _ => error.into(),
        })
    }

    /// Sends the tarball of `name` there, which lies here.
    async fn send(&self, world: &World, name: &str, path: &Path) -> Result<(), ActError> {
        let is_file = std::fs::metadata(path).map(|found| found.is_file());
        if !matches!(is_file, Ok(true)) {
            let why = is_file.map_or_else(|error| error.to_string(), |_| "it is no file".to_owned());
            return Err(ActError::wrong(format!(
                "the tarball of {name} is needed at {} and no other node has it laid out: {why}",
                path.display()
            ))
            .hinted("put the tarball that this cluster was made with there again, and resume"));
        }
        let place = format!("{FOLDER}/archives/{name}.tarball");
        Ok(world.session(&self.node).upload_file(path, &place, 0o644).await?)
    }

    async fn copy(&self, world: &World, hub: &Node) -> Result<(), ActError> {
        let forget = Script::new("forget that the software was whole", FORGET_MARK);
        world.run(&self.node, forget).await?;
        for folder in self.choice.folders() {
            hub::copy(world, hub, &self.node, folder).await?;
        }
        let link = Script::new("link Hadoop, Spark and ZooKeeper", LINK);
        world.run(&self.node, link.within(LINK_LIMIT)).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_home_of_somebodys_is_moved_aside_and_ours_stays() {
        let place = tempfile::tempdir().unwrap();
        let homes = place.path().join("root");
        for (home, file) in [
            ("ephemeral-hdfs", "bin/hdfs"),
            ("persistent-hdfs", "conf/theirs"),
            ("spark", "README"),
        ] {
            let file = homes.join(home).join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "theirs").unwrap();
        }
        let script = format!(
            "homes='{}'\n{}{CLAIM_HOMES}",
            Choice::default().homes(),
            aside::FUNCTIONS
        )
        .replace("/root/", &format!("{}/", homes.display()))
        .replace("/var/lib/mesosflow", &format!("{}/lib", place.path().display()));
        let run = || {
            let ran = Command::new("sh").args(["-euc", &script]).output().unwrap();
            assert!(ran.status.success(), "{ran:?}");
            let mut names: Vec<_> = fs::read_dir(&homes)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        let names = run();
        assert_eq!(names.len(), 6, "{names:?}");
        for (name, file) in
            names
                .iter()
                .filter(|name| name.contains('.'))
                .zip(["bin/hdfs", "conf/theirs", "README"])
        {
            assert_eq!(fs::read_to_string(homes.join(name).join(file)).unwrap(), "theirs");
        }
        // What is put into them from now on is ours, and so are those that are linked already.
        fs::create_dir(homes.join("persistent-hdfs/conf")).unwrap();
        fs::remove_dir(homes.join("spark")).unwrap();
        fs::create_dir(homes.join("spark")).unwrap();
        symlink("/opt/mesosflow/spark-3.5.9/bin", homes.join("spark/bin")).unwrap();
        assert_eq!(run(), names);
    }
}
