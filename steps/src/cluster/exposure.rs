//! Which listed hosts would answer everybody, told before anything is touched.
//!
//! None of the cluster's daemons asks for a password: who reaches a Mesos master runs commands as root on the slaves.

use std::net::{IpAddr, Ipv4Addr};

use super::ports;
use super::{ClusterSpec, HostSpec, Instance, Role};

const WAY_OUT: &str = "name from where people come in `hosts.admin_cidr`, then mesosflow's own firewall closes them to others; \
                       or see to it that a firewall of yours does";

impl ClusterSpec {
    /// A line for each host with a public address, with the ports that would answer everybody there.
    pub(super) fn exposed(&self) -> Vec<String> {
        if self.hosts.has_firewall() {
            return Vec::new();
        }
        let instances = self.listed();
        instances
            .iter()
            .filter_map(|(instance, host)| exposure(instance, host))
            .collect()
    }
}

fn exposure(instance: &Instance, host: &HostSpec) -> Option<String> {
    let (name, address, inner) = (&instance.name, host.address, instance.private_ip);
    let ports = listed(
        ports::of(instance.role)
            .iter()
            .copied()
            .chain([ports::PORT_MAPPER]),
    );
    if is_public(inner) {
        return Some(format!(
            "{name} has the public address {inner}: ports {ports} would answer everybody there, without a password; \
             {WAY_OUT}; a `private_address`, where the hosts have one, keeps the daemons off it"
        ));
    }
    if !is_public(address) {
        return None;
    }
    // Daemons bind to the inner address; the port mapper is the system's, and the kernel's NFS server may be too.
    let everywhere = match (instance.role, instance.index) {
        (Role::Master, 1) => listed([ports::PORT_MAPPER, ports::NFS]),
        _ => listed([ports::PORT_MAPPER]),
    };
    Some(format!(
        "{name} has the public address {address} beside {inner}, which its daemons bind to: where the system's port mapper or \
         NFS server runs ({everywhere}) it would answer everybody, and where a router translates {address} to {inner}, so \
         would {ports}, without a password; {WAY_OUT}"
    ))
}

fn listed(ports: impl IntoIterator<Item = u16>) -> String {
    let words: Vec<_> = ports.into_iter().map(|port| port.to_string()).collect();
    words.join(", ")
}

/// Whether the internet routes to an address (IANA's registries of special addresses).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, third, _] = v4.octets();
            let shared = first == 100 && (64..128).contains(&second);
            let benchmark = first == 198 && (second & 0xfe) == 18;
            let protocols = (first, second, third) == (192, 0, 0);
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_documentation()
                || v4.is_multicast()
                || shared
                || benchmark
                || protocols
                || first == 0
                || v4 >= Ipv4Addr::new(240, 0, 0, 0))
        }
        // Global unicast is all that the internet routes, less what is for documentation.
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            (first & 0xe000) == 0x2000 && (first, second) != (0x2001, 0x0db8)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FirewallChoice, HostsSpec};
    use super::*;

    #[test]
    fn what_the_internet_does_not_route_is_not_public() {
        for (text, public) in [
            ("8.8.8.8", true),
            ("10.1.2.3", false),
            ("172.31.0.1", false),
            ("172.32.0.1", true),
            ("192.168.1.1", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("169.254.1.1", false),
            ("192.0.2.1", false),
            ("198.18.0.1", false),
            ("255.255.255.255", false),
            ("127.0.0.1", false),
            ("2a01:4f8::1", true),
            ("fd00::1", false),
            ("fe80::1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_public(text.parse().unwrap()), public, "{text}");
        }
    }

    fn spec(hosts: &[(Role, &str, Option<&str>)]) -> ClusterSpec {
        let nodes = hosts.iter().map(|(role, address, private)| HostSpec {
            name: None,
            role: *role,
            address: address.parse().unwrap(),
            private_address: private.map(|text| text.parse().unwrap()),
            user: "root".into(),
            port: 22,
            host_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGt9TsmTDRxb/zJtI6PBkEdS9jkdI9IQQcRmUp1dnz1Q"
                .parse()
                .unwrap(),
        });
        ClusterSpec {
            hosts: HostsSpec {
                nodes: nodes.collect(),
                ..HostsSpec::default()
            },
            ..ClusterSpec::default()
        }
    }

    #[test]
    fn each_host_with_a_public_address_is_named_with_its_ports() {
        let mut spec = spec(&[
            (Role::Master, "8.8.4.4", None),
            (Role::Slave, "8.8.8.8", Some("10.0.0.2")),
            (Role::Slave, "10.0.0.3", None),
        ]);
        let said = spec.exposed();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with("demo-master-1 has the public address 8.8.4.4: ports 2049, "));
        assert!(said[0].contains(" 5050, ") && said[0].contains("hosts.admin_cidr"));
        assert!(said[1].contains("8.8.8.8 beside 10.0.0.2, which its daemons bind to"));
        assert!(
            said[1].contains("port mapper or NFS server runs (111)"),
            "{said:?}"
        );

        spec.hosts.admin_cidr = vec!["203.0.113.7/32".parse().unwrap()];
        assert!(spec.exposed().is_empty());
        spec.hosts.firewall = Some(FirewallChoice::None);
        assert_eq!(spec.exposed().len(), 2);
        spec.hosts.admin_cidr.clear();
        spec.hosts.firewall = Some(FirewallChoice::Nftables);
        assert!(spec.exposed().is_empty());
    }
}
