//! The hosts of the configuration as machines of a cluster.

use super::{ClusterSpec, HostSpec, Instance, Role};

impl ClusterSpec {
    /// The listed hosts as machines: numbered within their roles, in the order of the list.
    pub fn listed(&self) -> Vec<(Instance, &HostSpec)> {
        let mut counts = [(Role::Master, 0), (Role::Slave, 0), (Role::Zookeeper, 0)];
        let mut found = Vec::new();
        for host in &self.hosts.nodes {
            for (role, count) in &mut counts {
                if *role != host.role {
                    continue;
                }
                *count += 1;
                let own = || role.node_name(&self.cluster, *count);
                let instance = Instance {
                    id: host.address.to_string(),
                    name: host.name.clone().unwrap_or_else(own),
                    role: *role,
                    index: *count,
                    private_ip: host.private_address.unwrap_or(host.address),
                    public_ip: host.private_address.map(|_| host.address),
                    volume: None,
                };
                found.push((instance, host));
            }
        }
        found
    }
}
