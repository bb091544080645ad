//! The first master as the hub: how it reaches the other nodes, and how bulk data goes from it to them.

use std::time::Duration;

use mesosflow_workflow::{ErrorClass, StepError as _};

use crate::act::ActError;
use crate::claim;
use crate::cluster::Node;
use crate::on_node::{HDFS_CONF, MESOS, SCRIPTS_FOLDER, SSH_CONFIG_PATH};
use crate::remote::RemoteError;
use crate::world::{Script, World};

const DIGEST: &str = shell!("digest-folder.sh");

/// `sudo` on the far side where the login is not root's.
const COPY: &str = r#"if [ "$user" = root ]; then remote=rsync; else remote='sudo -n rsync'; fi
rsync --archive --checksum --delete --mkpath --timeout=60 --rsync-path="$remote" \
  -e "ssh -F $config -p $port" -- "$folder/" "$user@$address:$target/""#;

/// Limit of one copy between nodes: a Mesos build of half a gigabyte at 2 MB/s.
pub(crate) const COPY_LIMIT: Duration = Duration::from_secs(300);

/// Digest of a folder on a node; `None` where it is missing.
///
/// # Errors
/// The node cannot be reached, or a file in the folder cannot be read.
pub(crate) async fn digest(world: &World, node: &Node, folder: &str) -> Result<Option<String>, RemoteError> {
    let script = Script::new("digest a folder", DIGEST)
        .var("folder", folder)
        .within(COPY_LIMIT);
    let digest = world.run(node, script).await?.stdout_str();
    Ok(if digest.is_empty() { None } else { Some(digest) })
}

/// The folders that are mesosflow's alone: another one under that name is moved aside before a copy takes its place.
const OURS: [&str; 4] = [MESOS, SCRIPTS_FOLDER, HDFS_CONF[0], HDFS_CONF[1]];

/// Makes `folder` on `node` what it is on the hub, by rsync over the private network.
///
/// # Errors
/// The hub cannot be reached; transient where the hub could not reach the node.
pub(crate) async fn copy(world: &World, hub: &Node, node: &Node, folder: &str) -> Result<(), ActError> {
    copy_to(world, hub, node, folder, folder).await
}

/// Makes `target` on `node` what `folder` is on the hub.
///
/// # Errors
/// Like [`copy`].
pub(crate) async fn copy_to(
    world: &World,
    hub: &Node,
    node: &Node,
    folder: &str,
    target: &str,
) -> Result<(), ActError> {
    if OURS.contains(&target) {
        claim::folder(world, node, target).await?;
    }
    let title = format!("copy {folder} to {}", node.name);
    let script = Script::new(&title, COPY)
        .var("config", SSH_CONFIG_PATH)
        .var("user", &node.user)
        .var("port", node.port)
        .var("address", node.private_ip)
        .var("folder", folder)
        .var("target", target)
        .within(COPY_LIMIT);
    world.run(hub, script).await.map_err(between_nodes)?;
    Ok(())
}

/// A command on the hub that talks to another node may fail for that node's sake: then another try may work.
pub(crate) fn between_nodes(error: RemoteError) -> ActError {
    // ssh's own failures are 255 (ssh(1)); rsync's of the connection are 5, 10, 12, 30, 35 (rsync(1)).
    match error.exit_status() {
        Some(5 | 10 | 12 | 30 | 35 | 255) => ActError::Unmet {
            what: error.to_string(),
            class: ErrorClass::Transient,
            hint: error.hint(),
        },
        _ => error.into(),
    }
}

/// Whether `target` is on `node` what `folder` is on the hub.
///
/// # Errors
/// A node cannot be reached.
pub(crate) async fn is_equal(
    world: &World,
    hub: &Node,
    node: &Node,
    folder: &str,
    target: &str,
) -> Result<bool, RemoteError> {
    let (here, there) = tokio::join!(digest(world, hub, folder), digest(world, node, target));
    Ok(here? == there?)
}
