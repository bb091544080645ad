//! How a machine is reached: its address, and what its server has to show.

use std::net::IpAddr;

use crate::cluster::{Instance, Node};
use crate::remote::Target;

pub(crate) fn target(node: &Node) -> Target {
    let host = address(node, node.via.as_deref()).to_string();
    let target = Target::new(&node.name, host, &node.user)
        .port(node.port)
        .host_key(node.host_key.clone());
    match &node.via {
        Some(jump) => target.via(self::target(jump)),
        None => target,
    }
}

/// Where a machine is reached: from outside if it can be, from its neighbour otherwise.
pub(crate) fn address(instance: &Instance, via: Option<&Node>) -> IpAddr {
    match via {
        Some(_) => instance.private_ip,
        None => instance.public_ip.unwrap_or(instance.private_ip),
    }
}
