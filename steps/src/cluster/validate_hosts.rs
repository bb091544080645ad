//! What a list of hosts must be before anything is touched.

use std::collections::BTreeSet;

use super::{ClusterSpec, Role, SpecError};

impl ClusterSpec {
    /// Checks the `[hosts]` table: enough hosts of each role, and none twice.
    pub(super) fn validate_hosts(&self) -> Result<Vec<String>, SpecError> {
        let wrong = |problem: String, hint: &str| {
            Err(SpecError {
                field: "hosts.nodes",
                problem,
                hint: hint.to_owned(),
            })
        };
        for (role, wanted) in [
            (Role::Master, self.masters),
            (Role::Slave, self.slaves),
            (Role::Zookeeper, self.zookeepers()),
        ] {
            let count = self.hosts.nodes.iter().filter(|host| host.role == role).count();
            if count != usize::from(wanted) {
                return wrong(
                    format!("has {count} of role {role}, where the cluster needs {wanted}"),
                    "list one `[[hosts.nodes]]` for each; three of role zookeeper where there is more than one master",
                );
            }
        }
        let mut seen = BTreeSet::new();
        for host in &self.hosts.nodes {
            if !seen.insert((host.address, host.port)) {
                return wrong(
                    format!("lists {} twice", host.address),
                    "each node of the cluster needs a host of its own",
                );
            }
        }
        Ok(Vec::new())
    }
}
