//! The keys that nodes open to one another, and what each of them opens: lines of `authorized_keys`.
//!
//! The driver has a key of its own, the cluster's (`key.rs`), which is on no node. Beside it there are, made on the first master:
//!
//! | key | who has it | what it opens |
//! |---|---|---|
//! | the nodes' | the masters, any of which may become the hub | every node, for who comes from a master's address |
//! | the volume's | the slaves | `/mnt/nfs` of the first master, to be read, for who comes from the cluster's range of addresses or, without one, from a slave's |
//! | the ZooKeepers' | the ZooKeepers | nothing |
//!
//! With `ssh.key_on_every_node` all nodes have the nodes', and may come from the address of any.

use std::net::IpAddr;

use ipnet::IpNet;
use mesosflow_workflow::RunId;
use serde::{Deserialize, Serialize};

use crate::cluster::{Inventory, Node, Role};
use crate::world::{Script, World};

/// What the volume's key runs on the first master, whatever it asks for.
const SHARE: &str = "/root/mesos-ec2/scripts/share";
/// How the comments of the keys begin.
const NODES: &str = "mesosflow-nodes";
const VOLUME: &str = "mesosflow-volume";

const FILE: &str = shell!("authorized-file.sh");
const ARE_LET_IN: &str = r#"lines=$(cat)
[ "$(grep --extended-regexp "$ours" "$file")" = "$lines" ] || exit 1"#;
const LET_IN: &str = shell!("authorized-let-in.sh");

/// Which keys there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// The public half of the driver's key as an `authorized_keys` line: by it a lost or another key is told.
    pub public_key: String,
    /// That of the key that opens every node.
    pub nodes_key: String,
    /// That of the key that opens the shared volume.
    pub volume_key: String,
}

/// The lines that the nodes' keys have on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Authorized(Vec<String>);

impl Authorized {
    /// Those of `node`, in a cluster whose keys are `keys` and whose machines have addresses in `range`, also those that a slave may get
    /// at its next boot. Addresses are the private ones.
    pub fn on(
        node: &Node,
        inventory: &Inventory,
        keys: &Copied,
        key_on_every_node: bool,
        range: Option<IpNet>,
    ) -> Self {
        let of = |nodes: &[Node]| nodes.iter().map(|node| node.private_ip).collect::<Vec<_>>();
        let holders = match key_on_every_node {
            true => inventory.all().map(|node| node.private_ip).collect(),
            false => of(&inventory.masters),
        };
        // The first master logs in to itself, too.
        let local = [
            IpAddr::from([127, 0, 0, 1]),
            IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        ];
        let holders: Vec<_> = holders.into_iter().chain(local).collect();
        let mut lines = vec![format!(r#"from="{}" {}"#, list(&holders), keys.nodes_key)];
        if node == inventory.first_master() {
            let sudo = if node.user == "root" { "" } else { "sudo -n " };
            let slaves = match range {
                // The first address is the network's own: the machine of the engine, the router of the cloud.
                Some(range) => {
                    let own = range.hosts().next().map(|own| format!("!{own},"));
                    own.unwrap_or_default() + &range.to_string()
                }
                None => list(&of(&inventory.slaves)),
            };
            lines.push(format!(
                r#"restrict,from="{slaves}",command="{sudo}{SHARE}" {}"#,
                keys.volume_key
            ));
        }
        Self(lines)
    }

    fn script<'a>(&self, world: &World, node: &Node, title: &'a str, body: &'a str) -> Script<'a> {
        Script::new(title, body)
            .before(FILE)
            .var("user", &node.user)
            .var("owner", owner(&world.owner().cluster, world.owner().run))
            .stdin(self.0.join("\n"))
    }

    /// The script that answers whether a node has these lines, and no others of ours.
    pub(crate) fn look(&self, world: &World, node: &Node) -> Script<'static> {
        self.script(world, node, "look which keys of nodes are let in", ARE_LET_IN)
    }

    /// The script that gives a node these lines in place of those that it has of ours.
    pub(crate) fn let_in(&self, world: &World, node: &Node) -> Script<'static> {
        self.script(world, node, "let the keys of nodes in", LET_IN)
    }
}

fn list(addresses: &[IpAddr]) -> String {
    addresses
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

fn owner(cluster: &str, run: RunId) -> String {
    format!("{cluster} {run}")
}

/// The comments of the keys of a run: the nodes', the volume's.
pub(crate) fn comments(cluster: &str, run: RunId) -> [String; 2] {
    [NODES, VOLUME].map(|key| format!("{key} {}", owner(cluster, run)))
}

/// Whose key a node gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeKey {
    /// The nodes'.
    Nodes,
    /// The one of the slaves.
    Slave,
    /// The one of the ZooKeepers.
    Zookeeper,
}

impl NodeKey {
    /// The key of a node.
    pub const fn of(role: Role, key_on_every_node: bool) -> Self {
        match role {
            _ if key_on_every_node => Self::Nodes,
            Role::Master => Self::Nodes,
            Role::Slave => Self::Slave,
            Role::Zookeeper => Self::Zookeeper,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(role: &str, index: u16, host: u8, user: &str) -> Node {
        let json = serde_json::json!({
            "id": format!("{role}-{index}"), "name": format!("demo-{role}-{index}"), "role": role, "index": index,
            "private_ip": format!("10.89.0.{host}"), "public_ip": format!("192.0.2.{host}"), "user": user, "port": 22,
            "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGjOH5fDqWHuvjT0ZDvVUKo4Q0cdT0wOv0Fjfz0OXbGK",
        });
        serde_json::from_value(json).unwrap()
    }

    fn lines(node: &Node, inventory: &Inventory, key_on_every_node: bool) -> Vec<String> {
        let keys = Copied {
            public_key: "ssh-ed25519 D mesosflow demo 1".into(),
            nodes_key: "ssh-ed25519 N mesosflow-nodes demo 1".into(),
            volume_key: "ssh-ed25519 V mesosflow-volume demo 1".into(),
        };
        Authorized::on(node, inventory, &keys, key_on_every_node, None).0
    }

    #[test]
    fn each_key_counts_from_the_private_addresses_of_those_who_have_it() {
        let of = |user| {
            let [m1, m2] = [20, 21].map(|host| node("master", host - 19, host as u8, user));
            let [s1, s2] = [100, 101].map(|host| node("slave", host - 99, host as u8, user));
            Inventory::new([m1, m2, s1, s2, node("zookeeper", 1, 10, user)]).unwrap()
        };
        let inventory = of("root");
        let of_masters =
            r#"from="10.89.0.20,10.89.0.21,127.0.0.1,::1" ssh-ed25519 N mesosflow-nodes demo 1"#.to_owned();
        let of_slaves = |command: &str| {
            format!(
                r#"restrict,from="10.89.0.100,10.89.0.101",command="{command}" ssh-ed25519 V mesosflow-volume demo 1"#
            )
        };
        let share = "/root/mesos-ec2/scripts/share";
        assert_eq!(
            lines(inventory.first_master(), &inventory, false),
            [of_masters.clone(), of_slaves(share)]
        );
        for other in inventory.others() {
            assert_eq!(
                lines(other, &inventory, false),
                std::slice::from_ref(&of_masters),
                "{}",
                other.name
            );
        }

        let inventory = of("admin");
        let all = lines(inventory.first_master(), &inventory, true);
        assert_eq!(all[1], of_slaves(&format!("sudo -n {share}")));
        assert_eq!(
            all[0].split('"').nth(1),
            Some("10.89.0.20,10.89.0.21,10.89.0.100,10.89.0.101,10.89.0.10,127.0.0.1,::1")
        );
    }

    #[test]
    fn only_masters_have_the_key_of_all_nodes_unless_it_is_wanted() {
        let of = |every| [Role::Master, Role::Slave, Role::Zookeeper].map(|role| NodeKey::of(role, every));
        assert_eq!(of(false), [NodeKey::Nodes, NodeKey::Slave, NodeKey::Zookeeper]);
        assert_eq!(of(true), [NodeKey::Nodes; 3]);
    }
}
