//! Makes a node fit to be an image, over SSH, with nothing left but what is a part of every node.
//!
//! - Three scripts, each of which can be repeated after having been cut off anywhere: daemons and mounts, the cluster's things,
//!   the door. The driver can log in until the very end.
//! - The door closes by a process of the node's own: an SSH server without host keys lets nobody in any more, so whoever is cut
//!   off there could not go on. Where it is closed, everything before has been done.
//! - Outside the fence, which goes too: the caller holds the run's lease meanwhile.
//! - Not undone: the node is no part of the cluster any more.

use std::time::Duration;

use mesosflow_workflow::ErrorClass;
use serde::Serialize;

use super::traces::{Fate, what, words};
use crate::act::ActError;
use crate::cluster::Node;
use crate::node_setup::{EPHEMERAL_OPTIONS, VOLUME_OPTIONS};
use crate::on_node;
use crate::remote::RemoteError;
use crate::world::{Script, World};

const FUNCTIONS: &str = shell!("image-functions.sh");
const LOOK: &str = shell!("image-look.sh");
const STOP: &str = shell!("image-stop.sh");
const CLEAN: &str = shell!("image-clean.sh");
const SEAL: &str = shell!("image-seal.sh");
const HOST_KEYS_UNIT: &str = shell!("image-host-keys.service");

/// Where the last script is, in memory.
const FOLDER: &str = "/run/mesosflow-image";
const BEGIN_SEAL: &str = shell!("image-begin-seal.sh");
const IS_OVER: &str = r#"[ -e "$folder/end" ] || exit 1"#;
const ENDED: &str = r#"cat "$folder/end"
tail -n 5 "$folder/said"
rm -rf -- "$folder""#;

/// Ten daemons with time-outs of their own; a disk that writes back what it holds.
const STOP_LIMIT: Duration = Duration::from_secs(400);
/// A root disk full of HDFS, and the search for what names the cluster.
const CLEAN_LIMIT: Duration = Duration::from_secs(900);
const SEAL_LIMIT: Duration = Duration::from_secs(300);

/// A disk that is let go of with all that is on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// As `/etc/fstab` names it.
    pub source: String,
    /// Where it is mounted.
    pub mount: String,
}

/// What a node has of its cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Outlook {
    /// Path and what it is: what goes, wholly or as far as it is the cluster's.
    pub goes: Vec<(String, &'static str)>,
    /// What is only let go of.
    pub disks: Vec<Disk>,
    /// Jobs of the set-up that run there.
    pub jobs: Vec<String>,
    /// Whether Mesos lies in its place.
    pub has_mesos: bool,
}

impl Outlook {
    fn parse(said: &str) -> Self {
        let mut outlook = Self::default();
        for line in said.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["path", path] => outlook.goes.push((path.to_owned(), what(path))),
                ["disk", source, mount] => outlook.disks.push(Disk {
                    source: source.to_owned(),
                    mount: mount.to_owned(),
                }),
                ["job", job] => outlook.jobs.push(job.to_owned()),
                ["mesos"] => outlook.has_mesos = true,
                _ => {}
            }
        }
        outlook
    }
}

/// A script with the list and what tells mesosflow's lines in fstab.
fn script<'a>(title: &'a str, body: &'a str, world: &World, node: &Node) -> Script<'a> {
    let driver = world
        .key()
        .public()
        .split_ascii_whitespace()
        .nth(1)
        .unwrap_or_default();
    Script::new(title, body)
        .before(FUNCTIONS)
        .var("ephemeral", EPHEMERAL_OPTIONS)
        .var("volume", VOLUME_OPTIONS)
        .var("removed", words(&[Fate::Removed]))
        .var("data", words(&[Fate::Data]))
        .var("emptied", words(&[Fate::Emptied]))
        .var("edited", words(&[Fate::Emptied, Fate::Edited, Fate::Sealed]))
        .var("user", &node.user)
        .var("driver", driver)
}

/// Looks what a node has of its cluster; nothing is touched.
///
/// # Errors
/// The node cannot be reached, or does not let the cluster's key in any more.
pub async fn look(world: &World, node: &Node) -> Result<Outlook, ActError> {
    let looking = script("look what it has of the cluster", LOOK, world, node);
    let said = world
        .run(node, looking)
        .await
        .map_err(|error| closed(node, error))?;
    Ok(Outlook::parse(&said.stdout_str()))
}

/// Makes the node fit, and returns the paths that name its cluster all the same: what somebody else has put there. Can be
/// repeated until it has come to its end; after that, nobody can log in.
///
/// `nodes` are the cluster's.
///
/// # Errors
/// The node cannot be reached, or something on it cannot be stopped or removed.
pub async fn prepare(world: &World, node: &Node, nodes: &[Node]) -> Result<Vec<String>, ActError> {
    let addresses = |node: &Node| {
        let known = [Some(node.private_ip), node.public_ip].into_iter().flatten();
        known.map(|address| address.to_string()).collect::<Vec<_>>()
    };
    let names: Vec<_> = nodes
        .iter()
        .flat_map(|node| [vec![node.name.clone()], addresses(node)].concat())
        .collect();
    let stop = script("stop what runs there of the cluster", STOP, world, node)
        .var("units", on_node::units())
        .var("names_unit", on_node::NAMES_UNIT)
        .var("role", on_node::ROLE_COMMAND)
        .var("firewall", on_node::FIREWALL_UNIT)
        .var("addition", on_node::FIREWALL_ADDITION)
        .within(STOP_LIMIT);
    world.run(node, stop).await.map_err(|error| closed(node, error))?;
    let clean = script("remove what is the cluster's", CLEAN, world, node)
        .var("names", names.join(" "))
        .var("marks", world.owner().run)
        .var("unit_text", HOST_KEYS_UNIT.trim_end())
        .within(CLEAN_LIMIT);
    let left = world.run(node, clean).await?.stdout_str();
    seal(world, node).await?;
    Ok(left.lines().map(str::to_owned).collect())
}

/// Closes the door, and waits inside until it is closed.
async fn seal(world: &World, node: &Node) -> Result<(), ActError> {
    let title = "close the door";
    let text = script(title, SEAL, world, node).var("folder", FOLDER).text();
    let text = text.map_err(|error| RemoteError::Unsendable {
        node: node.name.clone(),
        title: title.to_owned(),
        reason: error.to_string(),
    })?;
    let begin = Script::new(title, BEGIN_SEAL).var("folder", FOLDER).stdin(text);
    world.run(node, begin).await?;
    let over = Script::new("look whether it is closed", IS_OVER).var("folder", FOLDER);
    world.wait_until(node, SEAL_LIMIT, title, over).await?;
    let ended = Script::new("ask how it was closed", ENDED).var("folder", FOLDER);
    let said = world.run(node, ended).await?.stdout_str();
    match said.split_once('\n').unwrap_or((&said, "")) {
        ("done", _) => Ok(()),
        (_, why) => Err(ActError::wrong(format!(
            "{} did not come to its end: {why}",
            node.name
        ))),
    }
}

/// A node that is done looks like one that cannot be reached.
fn closed(node: &Node, error: RemoteError) -> ActError {
    match error {
        RemoteError::AuthRefused { .. } | RemoteError::Handshake { .. } => ActError::Unmet {
            what: format!("{} does not let the cluster in: {error}", node.name),
            class: ErrorClass::Operator,
            hint: Some(
                "a node that was prepared lets nobody of its old cluster in: if that was interrupted as it closed the door, \
                 it is done, and the image can be made"
                    .to_owned(),
            ),
        },
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_node_says_is_read() {
        let said = "job 1-a\npath /etc/mesosflow\npath /mnt2/hadoop\ndisk UUID=1 /mnt2\nmesos";
        let outlook = Outlook::parse(said);
        assert_eq!(outlook.jobs, ["1-a"]);
        assert_eq!(
            outlook.goes[1],
            ("/mnt2/hadoop".to_owned(), "what MapReduce left")
        );
        assert_eq!(outlook.disks[0].mount, "/mnt2");
        assert!(outlook.has_mesos);
    }
}
