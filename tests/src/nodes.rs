//! The nodes of a cluster, entered through the engine: by hand, as somebody would who does not believe the report.

use crate::engine::{Engine, Ran};
use crate::status::Status;

/// One node.
#[derive(Debug, Clone)]
pub struct Node {
    engine: Engine,
    /// Its name.
    pub name: String,
    /// Its container.
    pub container: String,
    /// `master`, `slave` or `zookeeper`.
    pub role: String,
    /// Its address.
    pub ip: String,
}

impl Node {
    pub(crate) fn new(engine: Engine, name: &str, container: &str, role: &str, ip: &str) -> Self {
        Self {
            engine,
            name: name.to_owned(),
            container: container.to_owned(),
            role: role.to_owned(),
            ip: ip.to_owned(),
        }
    }

    /// Runs a shell script on it.
    pub fn run(&self, script: &str) -> Ran {
        self.engine.exec(&self.container, script)
    }

    /// What a script prints that has to work.
    ///
    /// # Panics
    /// It fails.
    #[track_caller]
    pub fn ask(&self, script: &str) -> String {
        self.run(script).ok()
    }
}

/// All nodes.
#[derive(Debug, Clone)]
pub struct Nodes {
    all: Vec<Node>,
}

impl Nodes {
    pub(crate) fn new(engine: Engine, status: &Status) -> Self {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let node = |value: &serde_json::Value| Node {
            engine: engine.clone(),
            name: text(&value["name"]),
            container: text(&value["instance_id"]),
            role: text(&value["role"]),
            ip: text(&value["private_ip"]),
        };
        Self {
            all: status.nodes().iter().map(node).collect(),
        }
    }

    /// Finds the containers of nodes whose ids are something else.
    pub(crate) fn enter_by(&mut self, container: impl Fn(&str) -> Option<String>) {
        for node in &mut self.all {
            if let Some(found) = container(&node.container) {
                node.container = found;
            }
        }
    }

    /// All of them.
    pub fn all(&self) -> &[Node] {
        &self.all
    }

    /// The node of that name.
    ///
    /// # Panics
    /// There is none.
    #[track_caller]
    pub fn named(&self, name: &str) -> &Node {
        match self.all().iter().find(|node| node.name == name) {
            Some(node) => node,
            None => panic!("no node {name}"),
        }
    }

    /// Those of a role, in order.
    pub fn of(&self, role: &str) -> Vec<&Node> {
        let mut found: Vec<_> = self.all.iter().filter(|node| node.role == role).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// The first master.
    ///
    /// # Panics
    /// There is no master.
    #[track_caller]
    pub fn hub(&self) -> &Node {
        match self.of("master").first() {
            Some(hub) => hub,
            None => panic!("no master among {:?}", self.all),
        }
    }

    /// The same nodes, one of them at another address.
    #[must_use]
    pub fn moved(mut self, name: &str, ip: &str) -> Self {
        for node in self.all.iter_mut().filter(|node| node.name == name) {
            ip.clone_into(&mut node.ip);
        }
        self
    }

    /// Names of the containers, in order.
    pub fn containers(&self) -> Vec<String> {
        let mut names: Vec<_> = self.all.iter().map(|node| node.container.clone()).collect();
        names.sort();
        names
    }
}
