//! What may reach the machines: the rules that the three groups have to have, and how they compare with what is there.

use std::fmt;

use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, SecurityGroupRule, UserIdGroupPair};
use ipnet::IpNet;

use crate::cluster::Role;

/// Every protocol, in the API's word.
const ANYTHING: &str = "-1";
const SSH: u16 = 22;

/// Web interfaces of a role's machines, beside SSH all that `admin_cidr` may reach. Mesos 5050 and 5051, both HDFS
/// 50070/60070 and 50075/60075, secondary namenode 60090, job tracker 50030 and task tracker 50060, a Spark driver 4040:
/// the ports of the predecessor, but for those of its Spark master, which does not run here.
pub const fn ui_ports(role: Role) -> &'static [u16] {
    match role {
        Role::Master => &[4040, 5050, 50030, 50070, 60070, 60090],
        Role::Slave => &[5051, 50060, 50075, 60075],
        Role::Zookeeper => &[],
    }
}

/// Who may come in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Peer {
    /// The members of a group, by its id.
    Group(String),
    /// Addresses.
    Cidr(String),
    /// Something else that the API knows (a prefix list).
    Other(String),
}

/// One rule for what comes in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rule {
    /// `tcp`, `-1` for everything, …
    pub protocol: String,
    /// First and last port; none where the protocol has none.
    pub ports: Option<(i32, i32)>,
    /// From where.
    pub peer: Peer,
}

impl Rule {
    /// Everything between the members of the groups.
    pub fn between(group: &str) -> Self {
        Self {
            protocol: ANYTHING.into(),
            ports: None,
            peer: Peer::Group(group.to_owned()),
        }
    }

    fn tcp(port: u16, from: &IpNet) -> Self {
        Self {
            protocol: "tcp".into(),
            ports: Some((port.into(), port.into())),
            peer: Peer::Cidr(from.trunc().to_string()),
        }
    }

    /// The rule as a call takes it; `reason` is what AWS' pages show beside it.
    pub fn permission(&self, reason: &str) -> IpPermission {
        let permission = IpPermission::builder().ip_protocol(&self.protocol);
        let permission = match self.ports {
            Some((from, to)) => permission.from_port(from).to_port(to),
            None => permission,
        };
        match &self.peer {
            Peer::Group(id) => {
                let pair = UserIdGroupPair::builder().group_id(id).description(reason);
                permission.user_id_group_pairs(pair.build())
            }
            Peer::Cidr(cidr) if cidr.contains(':') => {
                permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(cidr).description(reason).build())
            }
            Peer::Cidr(cidr) | Peer::Other(cidr) => {
                permission.ip_ranges(IpRange::builder().cidr_ip(cidr).description(reason).build())
            }
        }
        .build()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Peer::Group(peer) | Peer::Cidr(peer) | Peer::Other(peer)) = &self.peer;
        match (self.protocol.as_str(), self.ports) {
            (ANYTHING, _) => write!(f, "everything from {peer}"),
            (protocol, Some((from, to))) if from == to => write!(f, "{protocol} {from} from {peer}"),
            (protocol, Some((from, to))) => write!(f, "{protocol} {from}-{to} from {peer}"),
            (protocol, None) => write!(f, "{protocol} from {peer}"),
        }
    }
}

/// The rules of a role's group: whatever comes from one of the cluster's groups; SSH and the web interfaces from where the
/// administrators are.
pub fn wanted(role: Role, groups: &[&str], admins: &[IpNet]) -> Vec<Rule> {
    let within = groups.iter().map(|group| Rule::between(group));
    let ports = [SSH].into_iter().chain(ui_ports(role).iter().copied());
    let from_outside = ports.flat_map(|port| admins.iter().map(move |from| Rule::tcp(port, from)));
    within.chain(from_outside).collect()
}

/// The rules that a group has, one for each pair of ports and peer.
pub fn existing(permissions: &[IpPermission]) -> Vec<Rule> {
    permissions
        .iter()
        .flat_map(|permission| {
            let protocol = permission.ip_protocol().unwrap_or_default().to_owned();
            let ports = match (permission.from_port(), permission.to_port()) {
                (Some(from), Some(to)) if protocol != ANYTHING => Some((from, to)),
                _ => None,
            };
            peers(permission).into_iter().map(move |peer| Rule {
                protocol: protocol.clone(),
                ports,
                peer,
            })
        })
        .collect()
}

/// A rule by itself, where it lets addresses in.
pub fn of_addresses(rule: &SecurityGroupRule) -> Option<Rule> {
    let cidr = rule.cidr_ipv4().or_else(|| rule.cidr_ipv6())?;
    let protocol = rule.ip_protocol().unwrap_or_default().to_owned();
    let ports = match (rule.from_port(), rule.to_port()) {
        (Some(from), Some(to)) if protocol != ANYTHING => Some((from, to)),
        _ => None,
    };
    let is_ingress = rule.is_egress() != Some(true);
    is_ingress.then(|| Rule {
        protocol,
        ports,
        peer: Peer::Cidr(cidr.to_owned()),
    })
}

fn peers(permission: &IpPermission) -> Vec<Peer> {
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    let groups = permission
        .user_id_group_pairs()
        .iter()
        .map(|pair| Peer::Group(text(pair.group_id().or_else(|| pair.group_name()))));
    let v4 = permission
        .ip_ranges()
        .iter()
        .map(|range| Peer::Cidr(text(range.cidr_ip())));
    let v6 = permission
        .ipv6_ranges()
        .iter()
        .map(|range| Peer::Cidr(text(range.cidr_ipv6())));
    let lists = permission
        .prefix_list_ids()
        .iter()
        .map(|list| Peer::Other(text(list.prefix_list_id())));
    groups.chain(v4).chain(v6).chain(lists).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admins() -> Vec<IpNet> {
        vec![
            "203.0.113.7/24".parse().unwrap(),
            "2001:db8::/48".parse().unwrap(),
        ]
    }

    #[test]
    fn a_rule_reads_back_as_it_was_written() {
        let rules = wanted(Role::Master, &["sg-1", "sg-2", "sg-3"], &admins());
        let permissions: Vec<_> = rules.iter().map(|rule| rule.permission("x")).collect();
        assert_eq!(existing(&permissions), rules);
    }

    #[test]
    fn nothing_is_open_but_ssh_and_web_interfaces_to_administrators() {
        for role in [Role::Master, Role::Slave, Role::Zookeeper] {
            let rules = wanted(role, &["sg-1"], &admins());
            let outside: Vec<_> = rules
                .iter()
                .filter(|rule| matches!(rule.peer, Peer::Cidr(_)))
                .collect();
            assert_eq!(outside.len(), 2 * (1 + ui_ports(role).len()));
            for rule in outside {
                assert_eq!(rule.protocol, "tcp");
                assert!(
                    ["203.0.113.0/24", "2001:db8::/48"]
                        .iter()
                        .any(|cidr| rule.peer == Peer::Cidr((*cidr).into()))
                );
            }
        }
        assert_eq!(wanted(Role::Zookeeper, &[], &[]), []);
    }

    #[test]
    fn rules_that_share_ports_are_told_apart() {
        let permission = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(80)
            .to_port(90)
            .ip_ranges(IpRange::builder().cidr_ip("10.0.0.0/8").build())
            .ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build())
            .build();
        let said: Vec<_> = existing(&[permission]).iter().map(ToString::to_string).collect();
        assert_eq!(said, ["tcp 80-90 from 10.0.0.0/8", "tcp 80-90 from 0.0.0.0/0"]);
    }
}
