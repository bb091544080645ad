//! The ports that a cluster's daemons listen on, by role. None of them asks for a password; docs/nodes.md has the same list.

use super::Role;

/// Mesos 5050; namenodes 9000/50070 and 9010/60070, the ephemeral one's secondary 50090 and the persistent one's 60090; on
/// demand the job tracker 9001/50030, a Spark driver 4040 and Spark's history server 18080; the shared volume 2049.
const MASTER: &[u16] = &[
    2049, 4040, 5050, 9000, 9001, 9010, 18080, 50030, 50070, 50090, 60070, 60090,
];
/// Mesos 5051, both datanodes (data, commands, web), on demand a task tracker 50060 and a Spark driver 4040.
const SLAVE: &[u16] = &[4040, 5051, 50010, 50020, 50060, 50075, 60010, 60020, 60075];
/// Clients, the quorum, the election.
const ZOOKEEPER: &[u16] = &[2181, 2888, 3888];

/// The port mapper, TCP and UDP: systems start it with their NFS programs, and it listens on every address.
pub(crate) const PORT_MAPPER: u16 = 111;
/// The shared volume, on the first master.
pub(crate) const NFS: u16 = 2049;

/// What the daemons of a role listen on, TCP; without the port mapper.
pub(crate) const fn of(role: Role) -> &'static [u16] {
    match role {
        Role::Master => MASTER,
        Role::Slave => SLAVE,
        Role::Zookeeper => ZOOKEEPER,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The numbers in the last column of the table "Ports and units".
    fn documented() -> BTreeSet<u16> {
        let page = include_str!("../../../docs/nodes.md");
        let (_, section) = page.split_once("## Ports and units").unwrap();
        let rows = section.lines().skip(4).take_while(|line| line.starts_with('|'));
        rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next())
            .flat_map(|ports| ports.split(|c: char| !c.is_ascii_digit()))
            .filter_map(|number| number.parse().ok())
            .collect()
    }

    #[test]
    fn the_ports_are_those_of_the_page_about_nodes() {
        let roles = [Role::Master, Role::Slave, Role::Zookeeper];
        let mut known: BTreeSet<u16> = roles.into_iter().flat_map(of).copied().collect();
        known.insert(PORT_MAPPER);
        assert_eq!(known, documented());
    }

    /// What a security group opens to a person is a part of what the daemons listen on.
    #[test]
    fn web_interfaces_are_ports_of_their_role() {
        for role in [Role::Master, Role::Slave, Role::Zookeeper] {
            for port in crate::provider::ec2_facts::ui_ports(role) {
                assert!(of(role).contains(port), "{role} {port}");
            }
        }
    }
}
