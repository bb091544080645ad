//! ZooKeeper on the nodes: its daemon, and what a server says of itself.

use crate::cluster::{Node, ZOOKEEPER_PORT};
use crate::remote::RemoteError;
use crate::service::Service;
use crate::world::{Script, World};

/// The server's daemon.
pub const SERVER: Service = Service {
    unit: "mesosflow-zookeeper.service",
    config: "/root/mesos-ec2/zookeeper",
};

const MODE: &str = shell!("zookeeper-mode.sh");

/// The script that answers whether a server belongs to a quorum, and as what: `leader`, `follower` or `standalone`.
pub fn mode_script(node: &Node) -> Script<'static> {
    Script::new("ask ZooKeeper for its mode", MODE)
        .var("address", node.private_ip)
        .var("port", ZOOKEEPER_PORT)
}

/// What a server is; `None` while it belongs to no quorum.
///
/// # Errors
/// The node cannot be reached.
pub async fn mode(world: &World, node: &Node) -> Result<Option<String>, RemoteError> {
    world.answer(node, mode_script(node)).await
}
