//! What a list of hosts must be before anything is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::validate::check_host_label;
use super::{ClusterSpec, HostSpec, Instance, Role, SpecError, identity};

/// The longest host name label (RFC 1123).
const LONGEST: usize = 63;

fn wrong(field: &'static str, problem: String, hint: &str) -> SpecError {
    SpecError {
        field,
        problem,
        hint: hint.to_owned(),
    }
}

fn wrong_list(problem: String, hint: &str) -> SpecError {
    wrong("hosts.nodes", problem, hint)
}

impl ClusterSpec {
    /// Checks the `[hosts]` table: enough hosts of each role, none twice, and a key that opens them.
    pub(super) fn validate_hosts(&self) -> Result<Vec<String>, SpecError> {
        self.check_roles()?;
        let instances = self.listed();
        check_names(&instances)?;
        check_addresses(&instances)?;
        for host in &self.hosts.nodes {
            check_login(host)?;
        }
        let Some(path) = &self.hosts.identity_file else {
            return Err(wrong(
                "hosts.identity_file",
                "is missing".into(),
                "name the private key that may log in to every host; it stays on this machine",
            ));
        };
        identity::check(path).map_err(|(problem, hint)| wrong("hosts.identity_file", problem, &hint))?;
        let mut warnings = alike(&instances);
        warnings.extend(self.exposed());
        warnings.extend(self.open_to_all());
        Ok(warnings)
    }

    /// What was named to be let in, and means nothing or too much.
    fn open_to_all(&self) -> Vec<String> {
        let admin = &self.hosts.admin_cidr;
        if !self.hosts.has_firewall() {
            let useless = "`hosts.admin_cidr` closes nothing where `hosts.firewall` is \"none\"";
            return admin.first().map(|_| useless.to_owned()).into_iter().collect();
        }
        let all = admin.iter().filter(|cidr| cidr.prefix_len() == 0);
        all.map(|open| {
            format!("every port of the cluster, none of which asks for a password, will be open to {open}: everybody")
        })
        .collect()
    }

    fn check_roles(&self) -> Result<(), SpecError> {
        for (role, wanted) in [
            (Role::Master, self.masters),
            (Role::Slave, self.slaves),
            (Role::Zookeeper, self.zookeepers()),
        ] {
            let count = self.hosts.nodes.iter().filter(|host| host.role == role).count();
            if count != usize::from(wanted) {
                return Err(wrong_list(
                    format!("has {count} of role {role}, where the cluster needs {wanted}"),
                    "list one `[[hosts.nodes]]` for each; three of role zookeeper where there is more than one master",
                ));
            }
        }
        Ok(())
    }
}

fn check_names(instances: &[(Instance, &HostSpec)]) -> Result<(), SpecError> {
    let mut seen = BTreeMap::new();
    for (instance, _) in instances {
        let (name, address) = (&instance.name, &instance.id);
        if let Err(problem) = check_host_label(name, LONGEST) {
            return Err(wrong_list(
                format!("names {address} in a way that {problem}"),
                "use lower-case letters, digits and inner hyphens, such as `rack1-a`: it becomes the host's name",
            ));
        }
        if name == "localhost" {
            return Err(wrong_list(
                format!("calls {address} `localhost`, as every host calls itself"),
                "give it a name of its own: it becomes the host's name",
            ));
        }
        if let Some(other) = seen.insert(name, address) {
            return Err(wrong_list(
                format!("calls both {other} and {address} `{name}`"),
                "give each host a name of its own, or none",
            ));
        }
    }
    Ok(())
}

/// Two nodes on one machine make no cluster, whatever the SSH port: their daemons would want the same ports.
fn check_addresses(instances: &[(Instance, &HostSpec)]) -> Result<(), SpecError> {
    let mut seen = BTreeSet::new();
    for (instance, host) in instances {
        let inner = instance.private_ip;
        for address in BTreeSet::from([host.address, inner]) {
            if matches!(address, IpAddr::V6(_)) {
                return Err(wrong_list(
                    format!("gives `{}` the address {address}", instance.name),
                    "use an IPv4 address: the daemons of the cluster name one another by those",
                ));
            }
            if address.is_unspecified() || address.is_multicast() {
                return Err(wrong_list(
                    format!(
                        "gives `{}` the address {address}, which is no machine's",
                        instance.name
                    ),
                    "use the address that the other hosts reach it by",
                ));
            }
            if !seen.insert(address) {
                return Err(wrong_list(
                    format!("lists {address} twice"),
                    "each node of the cluster needs a machine of its own; another SSH port does not make one",
                ));
            }
        }
        if inner.is_loopback() {
            return Err(wrong_list(
                format!(
                    "gives `{}` the address {inner}, where each host finds itself",
                    instance.name
                ),
                "use the address that the other hosts reach it by; `private_address` may differ from `address`",
            ));
        }
    }
    Ok(())
}

fn check_login(host: &HostSpec) -> Result<(), SpecError> {
    // What POSIX calls a portable user name (3.437), and the `@` of those that come from a directory.
    let known = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    let user = &host.user;
    if user.is_empty() || user.starts_with('-') || !user.chars().all(known) {
        return Err(wrong_list(
            format!("logs in to {} as {user:?}, which is no user's name", host.address),
            "use the name of a user who may use sudo without a password, or leave it out for root",
        ));
    }
    if host.port == 0 {
        return Err(wrong_list(
            format!("gives {} the SSH port 0", host.address),
            "use the port of its SSH server, or leave it out for 22",
        ));
    }
    Ok(())
}

/// Machines made from one image without a second thought have one host key, by which none of them can be told apart.
fn alike(instances: &[(Instance, &HostSpec)]) -> Vec<String> {
    let mut by_key: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (instance, host) in instances {
        by_key
            .entry(host.host_key.fingerprint())
            .or_default()
            .push(&instance.name);
    }
    by_key.retain(|_, names| names.len() > 1);
    let told = by_key.iter().map(|(key, names)| {
        format!(
            "{} have the same host key {key}: each can pass for the others",
            names.join(", ")
        )
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::ProviderKind;
    use super::*;
    use crate::host_key::HostKey;
    use crate::key::{ClusterKey, KeyExpected};

    /// A cluster of one master and two slaves, and a change to it.
    fn validated(change: impl FnOnce(&mut ClusterSpec)) -> Result<Vec<String>, SpecError> {
        let folder = tempfile::tempdir().unwrap();
        let key = |name: &str| -> HostKey {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
            let key = ClusterKey::open(&folder.path().join(name), "", &KeyExpected::MayBeMade).unwrap();
            key.public().parse().unwrap()
        };
        let host = |role, address: &str| HostSpec {
            name: None,
            role,
            address: address.parse().unwrap(),
            private_address: None,
            user: "root".into(),
            port: 22,
            host_key: key(address),
        };
        let mut spec = ClusterSpec {
            provider: ProviderKind::Hosts,
            masters: 1,
            slaves: 2,
            ..ClusterSpec::default()
        };
        spec.hosts.nodes = vec![
            host(Role::Master, "192.0.2.1"),
            host(Role::Slave, "192.0.2.2"),
            host(Role::Slave, "192.0.2.3"),
        ];
        spec.hosts.identity_file = Some(folder.path().join("192.0.2.1/cluster_ed25519"));
        change(&mut spec);
        spec.validate()
    }

    #[track_caller]
    fn refused(part: &str, change: impl FnOnce(&mut ClusterSpec)) {
        let error = validated(change).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }

    #[test]
    fn a_complete_list_is_taken() {
        assert_eq!(validated(|_| ()).unwrap(), Vec::<String>::new());
        let further = |spec: &mut ClusterSpec| {
            spec.hosts.nodes[0].private_address = Some("10.0.0.1".parse().unwrap());
            spec.hosts.nodes[0].name = Some("rack1-a".into());
            spec.hosts.nodes[0].user = "some.one@example".into();
        };
        assert!(validated(further).is_ok());
    }

    #[test]
    fn an_empty_list_is_what_is_missed_and_not_a_master() {
        refused("`hosts.nodes` lists no host", |spec| {
            spec.hosts.nodes.clear();
            (spec.masters, spec.slaves) = (0, 0);
        });
    }

    #[test]
    fn a_list_without_one_of_the_roles_is_refused() {
        refused("has 1 of role master, where the cluster needs 3", |spec| {
            spec.masters = 3
        });
        refused("has 2 of role slave, where the cluster needs 1", |spec| {
            spec.slaves = 1
        });
        refused("has 0 of role zookeeper, where the cluster needs 3", |spec| {
            spec.hosts.nodes[1].role = Role::Master;
            spec.hosts.nodes[2].role = Role::Slave;
            (spec.masters, spec.slaves) = (2, 1);
        });
        refused("has 1 of role zookeeper, where the cluster needs 0", |spec| {
            spec.hosts.nodes[2].role = Role::Zookeeper;
            spec.slaves = 1;
        });
    }

    #[test]
    fn two_nodes_on_one_machine_are_refused() {
        refused("lists 192.0.2.1 twice", |spec| {
            spec.hosts.nodes[1].address = "192.0.2.1".parse().unwrap();
            spec.hosts.nodes[1].port = 2201;
        });
        refused("lists 192.0.2.1 twice", |spec| {
            spec.hosts.nodes[1].private_address = Some("192.0.2.1".parse().unwrap());
        });
    }

    #[test]
    fn addresses_that_reach_nobody_are_refused() {
        refused("where each host finds itself", |spec| {
            spec.hosts.nodes[0].address = "127.0.0.1".parse().unwrap();
        });
        refused("no machine's", |spec| {
            spec.hosts.nodes[0].address = "0.0.0.0".parse().unwrap();
        });
        refused("the address 2001:db8::1", |spec| {
            spec.hosts.nodes[0].address = "2001:db8::1".parse().unwrap();
        });
        let forwarded = |spec: &mut ClusterSpec| {
            spec.hosts.nodes[0].address = "127.0.0.1".parse().unwrap();
            spec.hosts.nodes[0].private_address = Some("10.0.0.1".parse().unwrap());
        };
        assert!(validated(forwarded).is_ok());
    }

    #[test]
    fn names_have_to_be_host_names_and_different() {
        for name in [
            "",
            "Rack1",
            "a b",
            "-a",
            "rack1.example",
            "$(id)",
            &"a".repeat(64),
        ] {
            refused("names 192.0.2.2 in a way that is", |spec| {
                spec.hosts.nodes[1].name = Some(name.to_owned());
            });
        }
        refused("calls 192.0.2.2 `localhost`", |spec| {
            spec.hosts.nodes[1].name = Some("localhost".into());
        });
        // A given name is no different from one that follows from the role.
        refused("calls both 192.0.2.2 and 192.0.2.3 `demo-slave-2`", |spec| {
            spec.hosts.nodes[1].name = Some("demo-slave-2".into());
        });
    }

    #[test]
    fn a_login_that_cannot_work_is_refused() {
        for user in ["", "a b", "-oProxyCommand=x", "a;b"] {
            refused("which is no user's name", |spec| {
                spec.hosts.nodes[0].user = user.into()
            });
        }
        refused("the SSH port 0", |spec| spec.hosts.nodes[0].port = 0);
        refused("`hosts.identity_file` is missing", |spec| {
            spec.hosts.identity_file = None
        });
        refused("`hosts.identity_file` may be read by others", |spec| {
            let path = spec.hosts.identity_file.as_ref().unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o640)).unwrap();
        });
    }

    #[test]
    fn clones_of_one_machine_are_warned_about() {
        let warnings =
            validated(|spec| spec.hosts.nodes[2].host_key = spec.hosts.nodes[1].host_key.clone()).unwrap();
        assert!(
            warnings[0].starts_with("demo-slave-1, demo-slave-2 have the same host key SHA256:"),
            "{warnings:?}"
        );
    }
}
