//! Checkpoints of the persistent file system: where there is a second master, a secondary namenode there makes one every hour, and one
//! whenever it starts. With the first master's disk all names would be lost otherwise, although the slaves have the blocks.

use std::time::Duration;

use jiff::Timestamp;
use mesosflow_workflow::ErrorClass;
use serde::{Deserialize, Serialize};

use super::Hdfs;
use super::format::made_by;
use crate::act::ActError;
use crate::cluster::Node;
use crate::hub::between_nodes;
use crate::mounts::ON_DISK;
use crate::on_node::SSH_CONFIG_PATH;
use crate::remote::RemoteError;
use crate::service::{DEPLOYED_UNITS, Service};
use crate::world::{Script, World};

/// Makes them.
pub(crate) const SECONDARY: Service = Service {
    unit: "persistent-hdfs-secondarynamenode.service",
    units: DEPLOYED_UNITS,
    config: "/root/persistent-hdfs/conf",
};
/// Where they are (`dfs.namenode.checkpoint.dir`).
const FOLDER: &str = "/vol/persistent-hdfs/namesecondary";

const LOOK: &str = shell!("hdfs-checkpoint-look.sh");
const IDENTITY: &str = shell!("hdfs-identity.sh");
const ASIDE: &str = shell!("hdfs-checkpoint-aside.sh");
const IMPORT: &str = shell!("hdfs-import.sh");
/// What a secondary namenode has read of changes that the namenode loses with its disk would be taken for changes that it makes later
/// and that bear the same numbers.
const FORGET_EDITS: &str = r#"on_disk "$home"
rm -f -- "$folder"/current/edits_*"#;
/// The newest image is read for its checksum.
const LOOK_LIMIT: Duration = Duration::from_secs(120);
/// An image of some gigabytes, from node to node.
const IMPORT_LIMIT: Duration = Duration::from_secs(1200);

/// The newest whole checkpoint of the persistent file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The clusterID of the file system that it is of.
    pub cluster_id: String,
    /// The last transaction that it has.
    pub transaction: u64,
    /// When it was made, by its node's clock.
    pub at: Timestamp,
    /// How old it is by the same clock, seconds.
    pub age_s: u64,
}

impl Checkpoint {
    /// The file of its image.
    fn image(&self) -> String {
        format!("fsimage_{:019}", self.transaction)
    }

    /// How old it is, in words.
    pub fn age(&self) -> String {
        let minutes = self.age_s / 60;
        match (minutes / 60, minutes % 60) {
            (0, minutes) => format!("{minutes} min"),
            (hours @ 1..48, minutes) => format!("{hours} h {minutes} min"),
            (hours, _) => format!("{} days", hours / 24),
        }
    }
}

/// The newest whole checkpoint that the second master has.
///
/// # Errors
/// The node cannot be reached, or a disk of it is not there.
pub async fn newest_checkpoint(world: &World, second: &Node) -> Result<Option<Checkpoint>, ActError> {
    let said = world.run(second, checkpoint_script()).await?.stdout_str();
    understood_checkpoint(second, &said)
}

/// The script that looks for it.
pub(crate) fn checkpoint_script() -> Script<'static> {
    script("look for a checkpoint of the persistent HDFS", LOOK).within(LOOK_LIMIT)
}

/// What that script says.
///
/// # Errors
/// It is something else.
pub(crate) fn understood_checkpoint(second: &Node, said: &str) -> Result<Option<Checkpoint>, ActError> {
    let strange = || {
        ActError::wrong(format!(
            "look for a checkpoint of the persistent HDFS on {}: cannot understand {said:?}",
            second.name
        ))
    };
    let words: Vec<_> = said.split_whitespace().collect();
    let [cluster_id, transaction, at, age] = words[..] else {
        return if words.len() < 2 { Ok(None) } else { Err(strange()) };
    };
    let at = at.parse().ok().and_then(|at| Timestamp::from_second(at).ok());
    let age_s: i64 = age.parse().map_err(|_| strange())?;
    Ok(Some(Checkpoint {
        cluster_id: cluster_id.to_owned(),
        transaction: transaction.parse().map_err(|_| strange())?,
        at: at.ok_or_else(strange)?,
        // A clock may have been set back.
        age_s: age_s.try_into().unwrap_or(0),
    }))
}

fn script<'a>(title: &'a str, body: &'a str) -> Script<'a> {
    Script::new(title, body)
        .before(ON_DISK)
        .var("home", Hdfs::Persistent.home())
        .var("folder", FOLDER)
}

/// What makes a file system this one, as a folder on a node has it; empty where there is none.
async fn identity(world: &World, node: &Node, folder: &str) -> Result<String, RemoteError> {
    let script = Script::new("look which persistent HDFS it is", IDENTITY)
        .before(ON_DISK)
        .var("home", Hdfs::Persistent.home())
        .var("folder", folder);
    Ok(world.run(node, script).await?.stdout_str())
}

/// Whether the second master has checkpoints of another file system than the first one's.
async fn are_foreign(world: &World, namenode: &Node, second: &Node) -> Result<bool, RemoteError> {
    let name = format!("{}/name", Hdfs::Persistent.home());
    let (served, kept) = tokio::join!(identity(world, namenode, &name), identity(world, second, FOLDER));
    let kept = kept?;
    Ok(!kept.is_empty() && kept != served?)
}

/// Whether checkpoints are made on the second master, of this very file system.
///
/// # Errors
/// A node cannot be reached.
pub(crate) async fn are_made(world: &World, namenode: &Node, second: &Node) -> Result<bool, ActError> {
    Ok(SECONDARY.is_current(world, second).await? && !are_foreign(world, namenode, second).await?)
}

/// Has checkpoints made on the second master, the first of them now. Those of another file system go aside.
///
/// # Errors
/// A node cannot be reached, or the daemon does not start.
pub(crate) async fn have_made(world: &World, namenode: &Node, second: &Node) -> Result<(), ActError> {
    if are_foreign(world, namenode, second).await? {
        SECONDARY.stop(world, second).await?;
        let aside = script("put checkpoints of another file system aside", ASIDE);
        world.run(second, aside.within(LOOK_LIMIT)).await?;
    }
    Ok(SECONDARY.ensure(world, second).await?)
}

/// Makes the newest checkpoint of the second master the folder of the first one's namenode, which has none. Whole or not at all.
///
/// # Errors
/// A node cannot be reached, or there is no checkpoint of that file system; what is there already is never touched.
pub(crate) async fn import(
    world: &World,
    hub: &Node,
    second: &Node,
    cluster_id: &str,
) -> Result<(), ActError> {
    SECONDARY.stop(world, second).await?;
    let found = newest_checkpoint(world, second).await?;
    let checkpoint = of_that(found, second, cluster_id)?;
    world
        .run(second, script("forget read changes", FORGET_EDITS))
        .await?;
    let (home, image) = (Hdfs::Persistent.home(), checkpoint.image());
    let title = format!("make {image} of {} the namenode's folder", second.name);
    let lay = Script::new(&title, IMPORT)
        .before(ON_DISK)
        .var("home", home)
        .var("name", format!("{home}/name"))
        .var("id", cluster_id)
        .var("image", &image)
        .var("transaction", checkpoint.transaction)
        .var("key", made_by(cluster_id).unwrap_or_default())
        .var("config", SSH_CONFIG_PATH)
        .var("user", &second.user)
        .var("port", second.port)
        .var("address", second.private_ip)
        .var("from", format!("{FOLDER}/current"));
    world
        .run(hub, lay.within(IMPORT_LIMIT))
        .await
        .map_err(between_nodes)?;
    Ok(())
}

/// The checkpoint, if it is of that file system.
fn of_that(found: Option<Checkpoint>, second: &Node, cluster_id: &str) -> Result<Checkpoint, ActError> {
    let what = match found {
        Some(checkpoint) if checkpoint.cluster_id == cluster_id => return Ok(checkpoint),
        Some(other) => format!(
            "{} has a checkpoint of the persistent file system {}, not of {cluster_id}",
            second.name, other.cluster_id
        ),
        None => format!(
            "{} has no whole checkpoint of the persistent file system",
            second.name
        ),
    };
    Err(ActError::Unmet {
        what,
        class: ErrorClass::Operator,
        hint: Some(
            "restore /vol/persistent-hdfs/name on the first master from a copy of your own, or give up what that file system has".into(),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Instance, Role};

    fn second() -> Node {
        Node {
            instance: Instance {
                id: String::new(),
                name: "demo-master-2".to_owned(),
                role: Role::Master,
                index: 2,
                private_ip: "10.0.0.2".parse().unwrap(),
                public_ip: None,
                volume: None,
            },
            user: "root".to_owned(),
            port: 22,
            host_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGjOH5fDqWHuvjT0ZDvVUKo4Q0cdT0wOv0Fjfz0OXbGK"
                .parse()
                .unwrap(),
            host_key_source: None,
            via: None,
        }
    }

    #[test]
    fn a_checkpoint_is_understood() {
        let of = |said: &str| understood_checkpoint(&second(), said);
        let found = of("CID-a-g1 0000000000000000123 1795712273 3725\n")
            .unwrap()
            .unwrap();
        assert_eq!(
            (found.cluster_id.as_str(), found.transaction, found.age_s),
            ("CID-a-g1", 123, 3725)
        );
        assert_eq!(found.image(), "fsimage_0000000000000000123");
        assert_eq!(found.age(), "1 h 2 min");
        let fresh = of("CID-a 0 1795712273 -3").unwrap().unwrap();
        assert_eq!((fresh.age(), fresh.image().len()), ("0 min".to_owned(), 27));
        for none in ["", "\n", "CID-a\n"] {
            assert_eq!(of(none).unwrap(), None, "{none:?}");
        }
        for wrong in [
            "CID-a 1",
            "CID-a 1 2",
            "CID-a x 1 2",
            "CID-a 1 x 2",
            "CID-a 1 2 3 4",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_checkpoint_of_that_file_system_is_taken() {
        let found = understood_checkpoint(&second(), "CID-a 7 1795712273 9").unwrap();
        assert_eq!(of_that(found.clone(), &second(), "CID-a").unwrap().transaction, 7);
        let refused = |found, id: &str| of_that(found, &second(), id).unwrap_err().to_string();
        assert!(refused(found, "CID-b").contains("of the persistent file system CID-a, not of CID-b"));
        assert!(refused(None, "CID-a").contains("no whole checkpoint"));
    }
}
