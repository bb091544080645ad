//! `approve-masters`, `approve-zookeepers`, `approve-nodes` (notes 2.6 to 2.8): the first master knows the host keys of the masters,
//! itself included; of the ZooKeepers, each of which has its number; of the slaves, and once more of all the others. One strict SSH
//! from there is the proof.
//!
//! - Changes: lines in the cluster's own `known_hosts` on the first master; lines of the nodes' keys in `authorized_keys`;
//!   `/tmp/zookeeper/myid` on a ZooKeeper, for whoever looks there. Nothing of mesosflow's reads it.
//! - Twice is safe: the lines of a host are replaced, never added to; the number is written again.
//! - Not undone; a replaced machine gets a new line.

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::authorized::Authorized;
use crate::cluster::{Node, input};
use crate::hub::between_nodes;
use crate::on_node::{KNOWN_HOSTS_PATH, SSH_CONFIG_PATH};
use crate::world::{Script, World};

const PIN: &str = shell!("known-hosts-pin.sh");
const PINNED: &str = r#"[ "$(grep --count --fixed-strings --line-regexp --file=- "$file" 2>/dev/null)" = "$count" ] || exit 1"#;
const PROVE: &str =
    r#"for host in $hosts; do ssh -F "$config" -p "$port" -l "$user" -- "$host" true </dev/null; done"#;

const OURS: &str = shell!("myid-ours.sh");
const IS_DROPPED: &str = r#"is_ours && [ "$(kind "$folder/myid")" = 'regular file 0' ] || exit 1
[ "$(cat "$folder/myid")" = "$id" ] || exit 1"#;
const DROP: &str = shell!("myid-drop.sh");

/// Which of the three steps it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approved {
    /// The masters.
    Masters,
    /// The ZooKeepers, with their numbers.
    Zookeepers,
    /// Slaves, other masters and ZooKeepers.
    Nodes,
}

/// The host key of a node, for the first master.
#[derive(Debug, Clone, Serialize)]
pub struct Approve {
    #[serde(skip)]
    of: Approved,
    /// The first master, who is to know the key.
    #[serde(serialize_with = "input::node")]
    pub hub: Node,
    /// The node, with the key that this machine has pinned.
    #[serde(serialize_with = "input::pinned")]
    pub node: Node,
    /// Names under which the node is known beside its address and host name (`localhost` for the hub itself).
    pub further_names: Vec<String>,
    /// The keys of nodes that the node lets in.
    pub authorized: Authorized,
}

impl Approve {
    /// Its id in the catalogue.
    pub const fn id_of(which: Approved) -> StepId {
        StepId::from_static(match which {
            Approved::Masters => "approve-masters",
            Approved::Zookeepers => "approve-zookeepers",
            Approved::Nodes => "approve-nodes",
        })
    }

    /// The approval of a node; the hub itself is also known as `localhost`.
    pub fn new(of: Approved, node: &Node, authorized: Authorized, hub: &Node) -> Self {
        let further_names = if hub == node {
            vec!["localhost".to_owned()]
        } else {
            Vec::new()
        };
        Self {
            of,
            hub: hub.clone(),
            node: node.clone(),
            further_names,
            authorized,
        }
    }

    fn names(&self) -> Vec<String> {
        let mut names = vec![self.node.private_ip.to_string(), self.node.name.clone()];
        names.extend(self.further_names.iter().cloned());
        names
    }

    fn lines(&self) -> String {
        let line = |name: &String| self.node.host_key.known_hosts_line(name, self.node.port);
        self.names().iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn script<'a>(&self, title: &'a str, body: &'a str) -> Script<'a> {
        Script::new(title, body)
            .var("hosts", self.names().join(" "))
            .var("file", KNOWN_HOSTS_PATH)
    }

    /// Whether the key is pinned and the proof succeeds.
    async fn is_proven(&self, cx: &StepCx<World>) -> Result<bool, ActError> {
        let title = format!("look for the host key of {}", self.node.name);
        let pinned = self
            .script(&title, PINNED)
            .var("count", self.names().len())
            .stdin(self.lines());
        let world = cx.world();
        Ok(world.ask(&self.hub, pinned).await?
            && world
                .ask(&self.node, self.authorized.look(world, &self.node))
                .await?
            && self.prove(cx).await.is_ok())
    }

    async fn pin(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let world = cx.world();
        world
            .run(&self.node, self.authorized.let_in(world, &self.node))
            .await?;
        let title = format!("pin the host key of {}", self.node.name);
        cx.world()
            .run(&self.hub, self.script(&title, PIN).stdin(self.lines()))
            .await?;
        Ok(())
    }

    async fn prove(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let title = format!("log in to {} from the first master", self.node.name);
        let proof = self
            .script(&title, PROVE)
            .var("config", SSH_CONFIG_PATH)
            .var("port", self.node.port)
            .var("user", &self.node.user);
        let proven = cx.world().run(&self.hub, proof).await;
        proven.map(drop).map_err(|error| match error.to_string() {
            text if text.contains("Permission denied") => between_nodes(error).hinted(format!(
                "{} lets the first master's key in from the masters' private addresses only: if it sees the first master under \
                 another one (NAT, several networks), name that one as the master's private address",
                self.node.name
            )),
            _ => between_nodes(error),
        })
    }

    fn number<'a>(&self, title: &'a str, body: &'a str) -> Script<'a> {
        Script::new(title, body).before(OURS).var("id", self.node.index)
    }

    /// Whether a ZooKeeper has its number; the others need none.
    async fn is_numbered(&self, cx: &StepCx<World>) -> Result<bool, ActError> {
        match self.of {
            Approved::Masters | Approved::Nodes => Ok(true),
            Approved::Zookeepers => {
                let look = self.number("look at myid", IS_DROPPED);
                Ok(cx.world().ask(&self.node, look).await?)
            }
        }
    }
}

impl Step for Approve {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::id_of(self.of)
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        let done = self.is_numbered(cx).await? && self.is_proven(cx).await?;
        Ok(Probe::done_if(done))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        self.pin(cx).await?;
        if self.of == Approved::Zookeepers {
            cx.world().run(&self.node, self.number("drop myid", DROP)).await?;
        }
        Ok(())
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        self.prove(cx).await?;
        if self.is_numbered(cx).await? {
            return Ok(());
        }
        Err(ActError::not_yet(format!("{} lost its number", self.node.name)))
    }
}

#[cfg(test)]
mod tests;
