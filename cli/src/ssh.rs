//! What the system's own SSH client needs to know of a cluster: its nodes, its key, the host keys that they must show.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::clusters::Living;
use crate::error::CliError;
use crate::exit::Exit;
use crate::wiring::{self, Node};

/// The files beside a cluster's key.
pub(crate) struct SshFiles {
    /// The cluster's private key.
    pub(crate) key: PathBuf,
    /// The pinned host keys of its nodes.
    pub(crate) known_hosts: PathBuf,
    /// `ssh -F` this: nodes by name and by address, and nothing of the user's own configuration.
    pub(crate) config: PathBuf,
}

impl SshFiles {
    /// Writes them as the cluster is now. Whoever reads an older one meanwhile has it whole.
    pub(crate) fn write(living: &Living) -> Result<Self, CliError> {
        let outside = living.outside()?;
        let folder = living.folder.join("ssh");
        let files = Self {
            key: std::path::absolute(outside.key()).unwrap_or_else(|_| outside.key().to_owned()),
            known_hosts: folder.join("known_hosts"),
            config: folder.join("config"),
        };
        for path in [&files.key, &files.known_hosts, &files.config] {
            // No quoting of OpenSSH's can carry these.
            if path.to_string_lossy().contains(['"', '\n', '\r']) {
                return Err(CliError::usage(format!(
                    "ssh cannot be told of a file whose path has a quote or a line break: {}",
                    path.display()
                ))
                .hint("move the journal to another folder"));
            }
        }
        let lines: String = living
            .nodes
            .iter()
            .map(|node| format!("{}\n", node.host_key.known_hosts_line(&address(node), node.port)))
            .collect();
        put(&folder, &files.known_hosts, &lines)?;
        put(&folder, &files.config, &files.own_hosts(&living.nodes))?;
        Ok(files)
    }

    /// A `Host` entry for each node, for the user's own configuration.
    pub(crate) fn hosts(&self, nodes: &[Node]) -> String {
        let jump = |via: &Node| format!("ProxyJump {}", via.name);
        self.entries(nodes, |node| node.name.clone(), jump)
    }

    /// The same for `-F`, which goes by addresses, too. `ProxyJump` would hand that file's path on to a shell as it is.
    fn own_hosts(&self, nodes: &[Node]) -> String {
        let config = self.config.to_string_lossy();
        let words = ["ssh", "-F", &config, "-W", "[%h]:%p"];
        let command = wiring::join_words(words).unwrap_or_default();
        let command = command
            .replace('%', "%%")
            .replace("%%h", "%h")
            .replace("%%p", "%p");
        let jump = |via: &Node| format!("ProxyCommand exec {command} {}", via.name);
        self.entries(nodes, |node| format!("{} {}", node.name, address(node)), jump)
    }

    fn entries(
        &self,
        nodes: &[Node],
        names: impl Fn(&Node) -> String,
        jump: impl Fn(&Node) -> String,
    ) -> String {
        let mut text = String::new();
        for node in nodes {
            let address = address(node);
            let mut entry = vec![
                format!("HostName {address}"),
                format!("User {}", node.user),
                format!("Port {}", node.port),
                format!("IdentityFile {}", quoted(&self.key)),
                "IdentitiesOnly yes".to_owned(),
                "PreferredAuthentications publickey".to_owned(),
                format!("UserKnownHostsFile {}", quoted(&self.known_hosts)),
                "GlobalKnownHostsFile none".to_owned(),
                "StrictHostKeyChecking yes".to_owned(),
                "UpdateHostKeys no".to_owned(),
                "CheckHostIP no".to_owned(),
                "ConnectTimeout 10".to_owned(),
                "ServerAliveInterval 30".to_owned(),
            ];
            entry.extend(node.via.iter().map(|via| jump(via)));
            let _infallible = writeln!(text, "Host {}\n  {}", names(node), entry.join("\n  "));
        }
        text
    }
}

/// Where a node is reached: from here, or from the node in between.
pub(crate) fn address(node: &Node) -> String {
    wiring::address(node).to_string()
}

/// A path for OpenSSH's configuration, in which `%` begins what is replaced.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.to_string_lossy().replace('%', "%%"))
}

fn put(folder: &Path, path: &Path, text: &str) -> Result<(), CliError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let put = || {
        let mut private = std::fs::DirBuilder::new();
        private.recursive(true).mode(0o700).create(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    put().map_err(|error: std::io::Error| {
        CliError::new(Exit::Failed, format!("cannot write {}", path.display())).because_of(&error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, ip: &str, via: Option<Node>) -> Node {
        serde_json::from_value(serde_json::json!({
            "id": "i-1", "name": name, "role": "slave", "index": 1, "private_ip": ip, "user": "admin", "port": 22,
            "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOeX3ESh4aBbC2LCvqgVWgEKhTCYUYHCFqlkGPE1zWPM",
            "via": via,
        }))
        .unwrap()
    }

    #[test]
    fn a_node_without_a_way_from_here_is_reached_through_its_neighbour() {
        let files = SshFiles {
            key: "/runs/50% of/key".into(),
            known_hosts: "/runs/known_hosts".into(),
            config: "/runs/50% of/config".into(),
        };
        let first = node("demo-master-1", "198.51.100.7", None);
        let second = node("demo-slave-1", "10.0.0.8", Some(first.clone()));
        insta::assert_snapshot!(files.hosts(&[first.clone(), second.clone()]));
        let own = files.own_hosts(&[second]);
        assert!(own.starts_with("Host demo-slave-1 10.0.0.8\n"), "{own}");
        let jump = "  ProxyCommand exec ssh -F '/runs/50%% of/config' -W '[%h]:%p' demo-master-1\n";
        assert!(own.ends_with(jump), "{own}");
    }
}
