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
const FOLLOWS: &str = shell!("zookeeper-follows.sh");
const ASK: &str = shell!("zookeeper-ask.sh");

/// What a server of a quorum is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serves {
    /// It leads; so many that follow it have all it has.
    Leads {
        /// How many.
        synced: usize,
    },
    /// It follows another.
    Follows,
}

impl Serves {
    /// How many are in sync with it; none where it does not lead.
    pub(crate) const fn synced(self) -> Option<usize> {
        match self {
            Self::Leads { synced } => Some(synced),
            Self::Follows => None,
        }
    }

    /// By the script's words.
    fn of(said: &str) -> Option<Self> {
        let (state, synced) = said.split_once(' ')?;
        match state {
            "leader" => synced.trim().parse().ok().map(|synced| Self::Leads { synced }),
            "follower" => Some(Self::Follows),
            _ => None,
        }
    }
}

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

/// What a server is; none while it belongs to no quorum.
///
/// # Errors
/// The node cannot be reached.
pub(crate) async fn serves(world: &World, node: &Node) -> Result<Option<Serves>, RemoteError> {
    let script = at(Script::new("ask ZooKeeper who follows it", FOLLOWS), node);
    let said = world.answer(node, script).await?;
    Ok(said.as_deref().and_then(Serves::of))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_what_it_is() {
        assert_eq!(Serves::of("leader 2"), Some(Serves::Leads { synced: 2 }));
        assert_eq!(Serves::of("follower 0"), Some(Serves::Follows));
        assert_eq!(Serves::of("standalone 0"), None);
        assert_eq!(Serves::of("leader"), None);
    }
}
