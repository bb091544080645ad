//! Where a node is, who logs in there, and how it proves to be that node.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::HostKey;

/// One node as the remote layer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The node's name, for errors and logs.
    pub node: String,
    /// An address or a name that resolves, seen from the controller, or from `via` if there is one.
    pub host: String,
    /// The port of its SSH server.
    pub port: u16,
    /// Who logs in. Anyone but root acts through `sudo -n`.
    pub user: String,
    /// The keys of which the server must prove one. With none the node is not talked to.
    pub host_keys: Vec<HostKey>,
    /// The node through which this one is reached, if it has no address that the controller can reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Box<Target>>,
}

impl Target {
    /// A node on the standard port that is reached directly.
    pub fn new(node: impl Into<String>, host: impl Into<String>, user: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            host: host.into(),
            port: 22,
            user: user.into(),
            host_keys: Vec::new(),
            via: None,
        }
    }

    /// The same node on another port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The same node with one more key that it may prove.
    #[must_use]
    pub fn host_key(mut self, key: HostKey) -> Self {
        self.host_keys.push(key);
        self
    }

    /// The same node, reached through `jump`.
    #[must_use]
    pub fn via(mut self, jump: Target) -> Self {
        self.via = Some(Box::new(jump));
        self
    }

    /// Whether commands need `sudo` to be root.
    pub(super) fn needs_sudo(&self) -> bool {
        self.user != "root"
    }
}

/// `user@host:port`, as in an error message.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') {
            ("[", "]")
        } else {
            ("", "")
        };
        write!(f, "{}@{open}{}{close}:{}", self.user, self.host, self.port)?;
        match &self.via {
            Some(jump) => write!(f, " via {}", jump.node),
            None => Ok(()),
        }
    }
}
