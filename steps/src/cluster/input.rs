//! Nodes as they stand in a step's input: by their names, and by what makes another machine of one, or puts it elsewhere. What else
//! is known of a node is its own affair: a field more in [`Node`] changes no input, and so no run in flight drifts by it. A step that
//! writes host keys somewhere has them in its input, too.
//!
//! All are for `#[serde(serialize_with = "…")]`.

use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::{Inventory, Node};
use crate::host_key::HostKey;

/// `{name, id, private_ip, public_ip?, host_key?}`.
#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    id: &'a str,
    private_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_key: Option<&'a HostKey>,
}

impl<'a> Named<'a> {
    fn of(node: &'a Node) -> Self {
        Self {
            name: &node.name,
            id: &node.id,
            private_ip: node.private_ip,
            public_ip: node.public_ip,
            host_key: None,
        }
    }

    fn pinned(node: &'a Node) -> Self {
        Self {
            host_key: Some(&node.host_key),
            ..Self::of(node)
        }
    }
}

/// `{masters, slaves, zookeepers}`.
#[derive(Serialize)]
struct Lists<'a> {
    masters: Vec<Named<'a>>,
    slaves: Vec<Named<'a>>,
    zookeepers: Vec<Named<'a>>,
}

impl<'a> Lists<'a> {
    fn of(inventory: &'a Inventory, named: fn(&'a Node) -> Named<'a>) -> Self {
        let list = |nodes: &'a [Node]| nodes.iter().map(named).collect();
        Self {
            masters: list(&inventory.masters),
            slaves: list(&inventory.slaves),
            zookeepers: list(&inventory.zookeepers),
        }
    }
}

/// A node.
pub(crate) fn node<S: Serializer>(node: &Node, to: S) -> Result<S::Ok, S::Error> {
    Named::of(node).serialize(to)
}

/// A node, with its host key.
pub(crate) fn pinned<S: Serializer>(node: &Node, to: S) -> Result<S::Ok, S::Error> {
    Named::pinned(node).serialize(to)
}

/// A node that may be missing.
pub(crate) fn node_if_any<S: Serializer>(node: &Option<Node>, to: S) -> Result<S::Ok, S::Error> {
    node.as_ref().map(Named::of).serialize(to)
}

/// Nodes.
pub(crate) fn nodes<S: Serializer>(nodes: &[Node], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(nodes.iter().map(Named::of))
}

/// All nodes of a cluster, by role.
pub(crate) fn inventory<S: Serializer>(inventory: &Inventory, to: S) -> Result<S::Ok, S::Error> {
    Lists::of(inventory, Named::of).serialize(to)
}

/// The same with their host keys.
pub(crate) fn pinned_inventory<S: Serializer>(inventory: &Inventory, to: S) -> Result<S::Ok, S::Error> {
    Lists::of(inventory, Named::pinned).serialize(to)
}
