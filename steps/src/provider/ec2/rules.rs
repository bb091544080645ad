//! What may reach the machines: the rules that the three groups have to have, and how they compare with what is there.

use std::fmt;

use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, SecurityGroupRule, UserIdGroupPair};
use ipnet::IpNet;

use crate::cluster::Role;
use crate::provider::ec2_facts::ui_ports;

/// Every protocol, in the API's word.
const ANYTHING: &str = "-1";
const SSH: u16 = 22;

/// Who is let in by a rule of mesosflow's: what can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Peer {
    /// The members of a group, by its id.
    Group(String),
    /// Addresses.
    Net(IpNet),
}

/// Who is let in by a rule that is there, whoever made it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shown {
    /// Somebody whom mesosflow might have let in.
    Peer(Peer),
    /// Something else that the API knows, in its words (a prefix list).
    Other(String),
}

/// One rule for what comes in: one that can be asked for, or one that was [`Shown`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rule<P = Peer> {
    /// `tcp`, `-1` for everything, …
    pub protocol: String,
    /// First and last port; none where the protocol has none.
    pub ports: Option<(i32, i32)>,
    /// From where.
    pub peer: P,
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
            peer: Peer::Net(from.trunc()),
        }
    }

    /// Whether it is among these.
    pub fn is_in(&self, existing: &[Rule<Shown>]) -> bool {
        existing.iter().any(|rule| rule.is(self))
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
            Peer::Net(IpNet::V6(net)) => {
                let range = Ipv6Range::builder().cidr_ipv6(net.to_string());
                permission.ipv6_ranges(range.description(reason).build())
            }
            Peer::Net(IpNet::V4(net)) => {
                let range = IpRange::builder().cidr_ip(net.to_string());
                permission.ip_ranges(range.description(reason).build())
            }
        }
        .build()
    }
}

impl Rule<Shown> {
    /// Whether it is this one.
    pub fn is(&self, rule: &Rule) -> bool {
        let peer = match &self.peer {
            Shown::Peer(peer) => peer,
            Shown::Other(_) => return false,
        };
        (&self.protocol, self.ports, peer) == (&rule.protocol, rule.ports, &rule.peer)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(id) => f.write_str(id),
            Self::Net(net) => write!(f, "{net}"),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(peer) => write!(f, "{peer}"),
            Self::Other(other) => f.write_str(other),
        }
    }
}

impl<P: fmt::Display> fmt::Display for Rule<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = &self.peer;
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
pub fn existing(permissions: &[IpPermission]) -> Vec<Rule<Shown>> {
    permissions
        .iter()
        .flat_map(|permission| {
            let protocol = permission.ip_protocol().unwrap_or_default().to_owned();
            let ports = ports(&protocol, permission.from_port(), permission.to_port());
            peers(permission).into_iter().map(move |peer| Rule {
                protocol: protocol.clone(),
                ports,
                peer,
            })
        })
        .collect()
}

/// A rule by itself, where it lets addresses in.
pub fn of_addresses(rule: &SecurityGroupRule) -> Option<Rule<Shown>> {
    let cidr = rule.cidr_ipv4().or_else(|| rule.cidr_ipv6())?;
    let protocol = rule.ip_protocol().unwrap_or_default().to_owned();
    let is_ingress = rule.is_egress() != Some(true);
    is_ingress.then(|| Rule {
        ports: ports(&protocol, rule.from_port(), rule.to_port()),
        protocol,
        peer: addresses(cidr),
    })
}

fn ports(protocol: &str, from: Option<i32>, to: Option<i32>) -> Option<(i32, i32)> {
    from.zip(to).filter(|_| protocol != ANYTHING)
}

/// Addresses as the API writes them.
fn addresses(cidr: &str) -> Shown {
    match cidr.parse() {
        Ok(net) => Shown::Peer(Peer::Net(net)),
        Err(_) => Shown::Other(cidr.to_owned()),
    }
}

fn peers(permission: &IpPermission) -> Vec<Shown> {
    let groups = permission.user_id_group_pairs().iter().map(|pair| {
        let id = pair.group_id().or_else(|| pair.group_name());
        Shown::Peer(Peer::Group(id.unwrap_or_default().to_owned()))
    });
    let v4 = permission.ip_ranges().iter().filter_map(|range| range.cidr_ip());
    let v6 = permission
        .ipv6_ranges()
        .iter()
        .filter_map(|range| range.cidr_ipv6());
    let lists = permission
        .prefix_list_ids()
        .iter()
        .map(|list| Shown::Other(list.prefix_list_id().unwrap_or_default().to_owned()));
    groups.chain(v4.chain(v6).map(addresses)).chain(lists).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::PrefixListId;

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
        let existing = existing(&permissions);
        assert_eq!(existing.len(), rules.len());
        for (existing, rule) in existing.iter().zip(&rules) {
            assert!(existing.is(rule), "{existing} is not {rule}");
        }
    }

    #[test]
    fn nothing_is_open_but_ssh_and_web_interfaces_to_administrators() {
        for role in [Role::Master, Role::Slave, Role::Zookeeper] {
            let rules = wanted(role, &["sg-1"], &admins());
            let outside: Vec<_> = rules
                .iter()
                .filter(|rule| matches!(rule.peer, Peer::Net(_)))
                .collect();
            assert_eq!(outside.len(), 2 * (1 + ui_ports(role).len()));
            for rule in outside {
                assert_eq!(rule.protocol, "tcp");
                assert!(
                    ["203.0.113.0/24", "2001:db8::/48"]
                        .iter()
                        .any(|cidr| rule.peer == Peer::Net(cidr.parse().unwrap()))
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

    /// What is shown of it can be told, and never asked for: only a rule for groups or addresses has a permission.
    #[test]
    fn a_prefix_list_is_told_and_is_nobody_whom_mesosflow_lets_in() {
        let list = PrefixListId::builder().prefix_list_id("pl-63a5400a").build();
        let permission = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(22)
            .to_port(22)
            .prefix_list_ids(list)
            .build();
        let shown = existing(&[permission]);
        assert_eq!(shown[0].to_string(), "tcp 22 from pl-63a5400a");
        let wanted = wanted(Role::Master, &["sg-1"], &admins());
        assert!(wanted.iter().all(|rule| !rule.is_in(&shown)));
    }
}
