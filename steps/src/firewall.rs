//! The firewall of listed hosts: one table of nftables, which keeps strangers from the cluster's ports and touches nothing else.
//!
//! It is a part of a node's set-up, before any daemon starts. The table is mesosflow's own, so that it stands beside ufw,
//! firewalld and a user's tables: a packet has to pass all of them, and none of theirs is read or written. It knows no
//! connections (no conntrack): what begins a connection to one of the ports is judged, everything else passes. SSH and
//! every other service are not looked at.
//!
//! A unit loads it before the network is there. `nftables.service`, where a system has it, flushes all tables when it is
//! started, reloaded or stopped: an addition to that unit puts this one back each time.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::cluster::ports;
use crate::cluster::{ClusterSpec, Inventory, Role};
use crate::on_node::{FIREWALL_ADDITION, FIREWALL_FILE, FIREWALL_UNIT};

/// Before `network-pre.target`, as Debian's own `nftables.service`, which may not exist. There is no `ExecStop`: what
/// takes the table away is `destroy`, and a node that goes down keeps its doors shut until it is down.
const UNIT_TEXT: &str = "[Unit]
Description=Keeps strangers from the ports of the mesosflow cluster
Documentation=https://wiki.nftables.org
DefaultDependencies=no
After=local-fs.target nftables.service
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/mesosflow/firewall.nft

[Install]
WantedBy=sysinit.target
";

const ADDITION_TEXT: &str = "# It flushes all tables; that of the mesosflow cluster comes back.
[Service]
ExecStartPost=-/usr/sbin/nft -f /etc/mesosflow/firewall.nft
ExecReload=-/usr/sbin/nft -f /etc/mesosflow/firewall.nft
ExecStopPost=-/usr/sbin/nft -f /etc/mesosflow/firewall.nft
";

pub(crate) const READY: &str = shell!("firewall-ready.sh");

pub(crate) const MAKE: &str = shell!("firewall-make.sh");

/// Whom a node's ports answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Firewall {
    /// Every address of every node.
    pub cluster: BTreeSet<IpAddr>,
    /// The networks of people.
    pub admin: Vec<IpNet>,
}

impl Firewall {
    /// The firewall of a cluster's nodes, where its spec asks for one.
    pub fn of(spec: &ClusterSpec, inventory: &Inventory) -> Option<Self> {
        let hosts = spec.of_hosts().filter(|hosts| hosts.has_firewall())?;
        let addresses = inventory.all().flat_map(|node| {
            // Listed hosts have the address of their SSH server as their id.
            let listed = node.id.parse().ok();
            [Some(node.private_ip), node.public_ip, listed]
        });
        Some(Self {
            cluster: addresses.flatten().collect(),
            admin: hosts.admin_cidr.clone(),
        })
    }

    /// The variables of the scripts, for a node of this role.
    pub(crate) fn variables(&self, role: Role) -> Vec<(&'static str, String)> {
        let body = self.table(role, "");
        let digest = hex::encode(&Sha256::digest(body.as_bytes())[..8]);
        vec![
            ("file", FIREWALL_FILE.to_owned()),
            ("unit", FIREWALL_UNIT.to_owned()),
            ("text", UNIT_TEXT.trim_end().to_owned()),
            ("addition", FIREWALL_ADDITION.to_owned()),
            ("added", ADDITION_TEXT.trim_end().to_owned()),
            ("rules", self.table(role, &digest)),
            ("digest", format!("mesosflow {digest}")),
        ]
    }

    /// The table. The first two lines of nft make the rest replace what is there, in one transaction.
    fn table(&self, role: Role, digest: &str) -> String {
        let ports = list(ports::of(role).iter().chain([&ports::PORT_MAPPER]));
        // NFS is served over UDP as well, where the system's own server does so.
        let nfs = ports::of(role).iter().filter(|port| **port == ports::NFS);
        let datagrams = list([&ports::PORT_MAPPER].into_iter().chain(nfs));
        let (v4, v6) = (self.sources(false), self.sources(true));
        let mut text = format!(
            "# Made by mesosflow; `mesosflow destroy` takes it away. Role {role}.\n\
             table inet mesosflow\n\
             delete table inet mesosflow\n\
             table inet mesosflow {{\n"
        );
        for (name, kind, sources) in [("known4", "ipv4_addr", &v4), ("known6", "ipv6_addr", &v6)] {
            let elements = match sources.is_empty() {
                true => String::new(),
                false => format!("\n        elements = {{ {} }}", list(sources)),
            };
            let _ = write!(
                text,
                "    set {name} {{\n        type {kind}\n        flags interval\n        auto-merge{elements}\n    }}\n"
            );
        }
        let _ = write!(
            text,
            "    chain strangers {{\n\
             \x20       iifname \"lo\" return comment \"mesosflow {digest}\"\n\
             \x20       ip saddr @known4 return\n\
             \x20       ip6 saddr @known6 return\n\
             \x20       counter drop\n\
             \x20   }}\n\
             \x20   chain input {{\n\
             \x20       type filter hook input priority -5; policy accept;\n\
             \x20       tcp dport {{ {ports} }} tcp flags & (fin | syn | rst | ack) == syn jump strangers\n\
             \x20       udp dport {{ {datagrams} }} jump strangers\n\
             \x20   }}\n\
             }}"
        );
        text
    }

    /// Who may come in, of one family; `::/0` and the like stay as they are.
    fn sources(&self, v6: bool) -> Vec<String> {
        let nodes = self
            .cluster
            .iter()
            .map(|address| (address.is_ipv6(), address.to_string()));
        let people = self.admin.iter().map(|net| {
            let is_v6 = matches!(net, IpNet::V6(_));
            (is_v6, net.trunc().to_string())
        });
        let all: BTreeSet<_> = nodes.chain(people).filter(|(is_v6, _)| *is_v6 == v6).collect();
        all.into_iter().map(|(_, text)| text).collect()
    }
}

fn list(items: impl IntoIterator<Item: ToString>) -> String {
    let words: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firewall() -> Firewall {
        let address = |text: &str| text.parse().unwrap();
        let net = |text: &str| text.parse().unwrap();
        Firewall {
            cluster: ["192.0.2.2", "10.0.0.1", "192.0.2.1"].map(address).into(),
            admin: vec![net("198.51.100.9/24"), net("2001:db8::7/64")],
        }
    }

    #[test]
    fn the_table_lets_the_cluster_and_its_people_in_and_looks_at_no_other_port() {
        insta::assert_snapshot!(firewall().table(Role::Zookeeper, "0123456789abcdef"));
        // Where the shared volume is served, by either protocol.
        let master = firewall().table(Role::Master, "");
        assert!(
            master.contains("udp dport { 111, 2049 } jump strangers"),
            "{master}"
        );
        assert!(!firewall().table(Role::Slave, "").contains("2049"));
        let nobody = Firewall {
            cluster: BTreeSet::new(),
            admin: Vec::new(),
        };
        assert!(!nobody.table(Role::Slave, "").contains("elements"));
    }

    #[test]
    fn ssh_is_never_judged() {
        for role in [Role::Master, Role::Slave, Role::Zookeeper] {
            assert!(!ports::of(role).contains(&22));
        }
    }

    /// What is loaded is compared by it.
    #[test]
    fn another_table_has_another_digest() {
        let digest = |firewall: &Firewall, role| firewall.variables(role).pop().unwrap().1;
        let (one, mut other) = (firewall(), firewall());
        other.admin.clear();
        assert_eq!(digest(&one, Role::Slave), digest(&firewall(), Role::Slave));
        assert_ne!(digest(&one, Role::Slave), digest(&one, Role::Master));
        assert_ne!(digest(&one, Role::Slave), digest(&other, Role::Slave));
    }
}
