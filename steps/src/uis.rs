//! The web interfaces of a cluster.

use std::net::IpAddr;

use crate::cluster::{MESOS_MASTER_PORT, Node, Role};
use crate::hdfs::{HISTORY_PORT, Hdfs};

/// A web interface, on the node that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebInterface<'n> {
    /// What it shows.
    pub name: String,
    /// Where it is.
    pub node: &'n Node,
    /// The port there.
    pub port: u16,
    /// The page to begin with; empty for `/`.
    pub path: &'static str,
}

impl WebInterface<'_> {
    /// Its address, for who sees the node under this one.
    pub fn url(&self, host: IpAddr, port: u16) -> String {
        match host {
            IpAddr::V4(host) => format!("http://{host}:{port}{}", self.path),
            IpAddr::V6(host) => format!("http://[{host}]:{port}{}", self.path),
        }
    }
}

/// Those of every master, and of both namenodes, which are on the first one, as is Spark's history server where the cluster has it.
pub fn web_interfaces<'n>(
    nodes: impl IntoIterator<Item = &'n Node>,
    has_history: bool,
) -> Vec<WebInterface<'n>> {
    let masters: Vec<_> = nodes
        .into_iter()
        .filter(|node| node.role == Role::Master)
        .collect();
    let of_master = |node: &&'n Node| WebInterface {
        name: format!("Mesos ({})", node.name),
        node,
        port: MESOS_MASTER_PORT,
        path: "",
    };
    let mut all: Vec<_> = masters.iter().map(of_master).collect();
    if let Some(first) = masters.into_iter().find(|node| node.index == 1) {
        all.extend([Hdfs::Ephemeral, Hdfs::Persistent].map(|hdfs| WebInterface {
            name: format!("{} HDFS", hdfs.as_str()),
            node: first,
            port: hdfs.ui_port(),
            path: "/jmx",
        }));
        all.extend(has_history.then(|| WebInterface {
            name: "Spark's history".to_owned(),
            node: first,
            port: HISTORY_PORT,
            path: "",
        }));
    }
    all
}
