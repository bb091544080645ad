//! What the three approvals share: a verified host key on the first master, the keys of nodes that are let in on the node, and
//! the proof of both by one strict SSH from there.

use mesosflow_workflow::StepCx;
use serde::Serialize;

use crate::act::ActError;
use crate::authorized::Authorized;
use crate::cluster::Node;
use crate::hub::{KNOWN_HOSTS_PATH, SSH_CONFIG_PATH, between_nodes};
use crate::world::{Script, World};

const PIN: &str = shell!("known-hosts-pin.sh");
const PINNED: &str = r#"[ "$(grep --count --fixed-strings --line-regexp --file=- "$file" 2>/dev/null)" = "$count" ] || exit 1"#;
const PROVE: &str =
    r#"for host in $hosts; do ssh -F "$config" -p "$port" -l "$user" -- "$host" true </dev/null; done"#;

/// The host key of a node, for the first master.
#[derive(Debug, Clone, Serialize)]
pub struct Approval {
    /// The first master, who is to know the key.
    pub hub: Node,
    /// The node, with the key that this machine has pinned.
    pub node: Node,
    /// Names under which the node is known beside its address and host name (`localhost` for the hub itself).
    pub further_names: Vec<String>,
    /// The keys of nodes that the node lets in.
    pub authorized: Authorized,
}

impl Approval {
    /// The approval of a node; the hub itself is also known as `localhost`.
    pub fn new(node: &Node, authorized: Authorized, hub: &Node) -> Self {
        let further_names = if hub == node {
            vec!["localhost".to_owned()]
        } else {
            Vec::new()
        };
        Self {
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
    pub(super) async fn is_proven(&self, cx: &StepCx<World>) -> Result<bool, ActError> {
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

    pub(super) async fn pin(&self, cx: &StepCx<World>) -> Result<(), ActError> {
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

    pub(super) async fn prove(&self, cx: &StepCx<World>) -> Result<(), ActError> {
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
}
