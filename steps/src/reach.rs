//! How a machine is reached: its address, and what its server has to show.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use ipnet::IpNet;

use crate::cluster::{ClusterSpec, Instance, Node};
use crate::remote::Target;

pub(crate) fn target(node: &Node) -> Target {
    let host = address_of(node).to_string();
    let target = Target::new(&node.name, host, &node.user)
        .port(node.port)
        .host_key(node.host_key.clone());
    match &node.via {
        Some(jump) => target.via(self::target(jump)),
        None => target,
    }
}

/// Where a node is reached: from here, or from the node that the way leads through.
pub fn address_of(node: &Node) -> IpAddr {
    address(node, node.via.as_deref())
}

/// Where a machine is reached: from outside if it can be, from its neighbour otherwise.
pub(crate) fn address(instance: &Instance, via: Option<&Node>) -> IpAddr {
    match via {
        Some(_) => instance.private_ip,
        None => instance.public_ip.unwrap_or(instance.private_ip),
    }
}

/// Why nobody answers, as far as it can be guessed: addresses change, and the cluster lets in the one that was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedOut {
    admins: Vec<IpNet>,
    /// The address that the nodes would see now, where that can be told from here.
    own: Option<IpAddr>,
}

impl LockedOut {
    /// The guess where a host at `address` is silent; none where everybody may come in, or this machine may.
    pub(crate) fn guess(address: &str, spec: &ClusterSpec) -> Option<Self> {
        let admins = &spec.of_ec2()?.admin_cidr;
        let to: IpAddr = address.parse().ok()?;
        let own = own_address(to).filter(|own| is_seen(*own, to));
        Self::of(own, admins)
    }

    fn of(own: Option<IpAddr>, admins: &[IpNet]) -> Option<Self> {
        let is_let_in = own.is_some_and(|own| admins.iter().any(|admin| admin.contains(&own)));
        (!is_let_in).then(|| Self {
            admins: admins.to_vec(),
            own,
        })
    }

    /// Says so at once, while the run still tries.
    pub(crate) fn warn(&self) {
        let flag = self.flag().join(" ");
        tracing::warn!(target: "mesosflow::progress", "{self}: `{flag}` lets you in");
    }

    /// The flag that opens the door again.
    pub fn flag(&self) -> [String; 2] {
        let own = self.own.map(|own| IpNet::from(own).to_string());
        ["--admin-cidr".into(), own.unwrap_or_else(|| "ADDRESS".into())]
    }
}

impl fmt::Display for LockedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let admins: Vec<_> = self.admins.iter().map(ToString::to_string).collect();
        let admins = admins.join(", ");
        match self.own {
            Some(own) => write!(
                f,
                "no node lets a connection in: your address is {own}, and only {admins} may come in"
            ),
            None => write!(
                f,
                "no node lets a connection in: perhaps your address has changed, since only {admins} may come in \
                 (`curl https://checkip.amazonaws.com` tells it)"
            ),
        }
    }
}

/// The address that this machine's packets to `to` leave with. None is sent.
fn own_address(to: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match to {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((to, 22)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Whether `to` sees that address, and not that of a router in between.
fn is_seen(own: IpAddr, to: IpAddr) -> bool {
    let is_private = |address: IpAddr| match address {
        IpAddr::V4(v4) => {
            let is_shared = v4.octets()[0] == 100 && (64..128).contains(&v4.octets()[1]);
            v4.is_private() || v4.is_link_local() || v4.is_loopback() || is_shared
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    };
    !is_private(own) || is_private(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_that_is_let_in_is_not_to_blame() {
        let admins = ["203.0.113.0/24".parse().unwrap()];
        assert_eq!(LockedOut::of(Some(address("203.0.113.7")), &admins), None);
        let out = LockedOut::of(Some(address("198.51.100.9")), &admins).unwrap();
        assert!(
            out.to_string()
                .contains("your address is 198.51.100.9, and only 203.0.113.0/24")
        );
        assert_eq!(out.flag(), ["--admin-cidr", "198.51.100.9/32"]);
        let out = LockedOut::of(None, &admins).unwrap();
        assert!(
            out.to_string().contains("perhaps your address has changed"),
            "{out}"
        );
        assert_eq!(out.flag()[1], "ADDRESS");
    }

    #[test]
    fn what_a_router_hides_is_not_taken_for_the_address_that_nodes_see() {
        for (own, to, seen) in [
            ("192.168.1.4", "54.0.0.1", false),
            ("100.64.0.4", "54.0.0.1", false),
            ("10.0.0.4", "10.0.9.9", true),
            ("198.51.100.9", "54.0.0.1", true),
            ("fd00::1", "2600::1", false),
            ("2001:db8::1", "2600::1", true),
        ] {
            assert_eq!(is_seen(address(own), address(to)), seen, "{own} {to}");
        }
        assert_eq!(own_address(address("127.0.0.1")), Some(address("127.0.0.1")));
    }
}
