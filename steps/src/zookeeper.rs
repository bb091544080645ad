//! ZooKeeper on the nodes: its daemon, what a server says of itself, and what it holds.

mod wire;

use crate::cluster::{Node, ZOOKEEPER_PORT};
use crate::remote::RemoteError;
use crate::service::{DEPLOYED_UNITS, Service};
use crate::world::{Script, World};

pub(crate) use wire::WireError;

/// The server's daemon.
pub(crate) const SERVER: Service = Service {
    unit: "mesosflow-zookeeper.service",
    units: DEPLOYED_UNITS,
    config: "/root/mesos-ec2/zookeeper",
};

const MODE: &str = shell!("zookeeper-mode.sh");
const ASK: &str = shell!("zookeeper-ask.sh");

/// The script that answers whether a server belongs to a quorum, and as what: `leader`, `follower` or `standalone`.
pub(crate) fn mode_script(node: &Node) -> Script<'static> {
    at(Script::new("ask ZooKeeper for its mode", MODE), node)
}

/// What a server is; `None` while it belongs to no quorum.
///
/// # Errors
/// The node cannot be reached.
pub(crate) async fn mode(world: &World, node: &Node) -> Result<Option<String>, RemoteError> {
    world.answer(node, mode_script(node)).await
}

/// The script that asks a server for the names below a path, for [`children`]; no answer where it serves nobody.
pub(crate) fn children_script(server: &Node, path: &str) -> Script<'static> {
    let script = Script::new("ask ZooKeeper for the nodes below one", ASK);
    at(script, server).var("request", wire::children_request(path))
}

/// The script that asks a server for what a path holds, for [`data`]; no answer where it serves nobody.
pub(crate) fn data_script(server: &Node, path: &str) -> Script<'static> {
    let script = Script::new("ask ZooKeeper for what a node holds", ASK);
    at(script, server).var("request", wire::data_request(path))
}

/// The names that a server has told; none where it has no such path.
///
/// # Errors
/// It has told something else.
pub(crate) fn children(answer: &str) -> Result<Option<Vec<String>>, WireError> {
    wire::children(answer)
}

/// What a server has told that a path holds; none where it has no such path.
///
/// # Errors
/// It has told something else.
pub(crate) fn data(answer: &str) -> Result<Option<Vec<u8>>, WireError> {
    wire::data(answer)
}

fn at(script: Script<'static>, server: &Node) -> Script<'static> {
    script
        .var("address", server.private_ip)
        .var("port", ZOOKEEPER_PORT)
}
