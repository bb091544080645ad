//! What the histories of a cluster's runs say of its machines together: a run that is driven acts on them as they are now, whichever
//! run has seen to them last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mesosflow_workflow::RunId;

use crate::cluster::{Instance, Node};

/// Machines and nodes by their names, as the newest run that had to do with each has left them.
#[derive(Debug, Default)]
pub struct Memory {
    runs: BTreeSet<RunId>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    machines: BTreeMap<String, Instance>,
    nodes: BTreeMap<String, Node>,
}

impl Memory {
    /// These machines and nodes; `runs` are all that the cluster has.
    pub fn new(
        runs: impl IntoIterator<Item = RunId>,
        machines: impl IntoIterator<Item = Instance>,
        nodes: impl IntoIterator<Item = Node>,
    ) -> Self {
        let machines = machines.into_iter();
        let nodes = nodes.into_iter();
        Self {
            runs: runs.into_iter().collect(),
            known: Mutex::new(Known {
                machines: machines.map(|machine| (machine.name.clone(), machine)).collect(),
                nodes: nodes.map(|node| (node.name.clone(), node)).collect(),
            }),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All runs of the cluster.
    pub(crate) fn runs(&self) -> impl Iterator<Item = RunId> {
        self.runs.iter().copied()
    }

    /// A machine was found in its place.
    pub(crate) fn found(&self, machine: &Instance) {
        self.known()
            .machines
            .insert(machine.name.clone(), machine.clone());
    }

    /// A machine was made: whatever was in its place has nothing to do with it.
    pub(crate) fn made(&self, machine: &Instance) {
        self.found(machine);
        self.known().nodes.remove(&machine.name);
    }

    /// A node has answered.
    pub(crate) fn answered(&self, node: &Node) {
        self.known().nodes.insert(node.name.clone(), node.clone());
    }

    /// The machine in the place of this one by now.
    pub(crate) fn machine(&self, recorded: Instance) -> Instance {
        let newest = self.known().machines.get(&recorded.name).cloned();
        newest.unwrap_or(recorded)
    }

    /// The node in the place of this one by now, with the addresses that it has now; this one where the machine that is in its place
    /// has not answered yet.
    pub(crate) fn node(&self, recorded: Node) -> Node {
        let known = self.known();
        let machine = known.machines.get(&recorded.name);
        let has_answered = |node: &&Node| machine.is_none_or(|machine| machine.id == node.id);
        let newest = known.nodes.get(&recorded.name).filter(has_answered).cloned();
        newest.unwrap_or(recorded)
    }

    /// The node that a machine is, where it has answered before: its host key was pinned then.
    pub(crate) fn pinned(&self, machine: &Instance) -> Option<Node> {
        let known = self.known();
        let node = known.nodes.get(&machine.name);
        node.filter(|node| node.id == machine.id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Role;

    fn machine(id: &str, address: &str) -> Instance {
        Instance {
            id: id.into(),
            name: "demo-slave-1".into(),
            role: Role::Slave,
            index: 1,
            private_ip: address.parse().unwrap(),
            public_ip: None,
            volume: None,
        }
    }

    fn node(id: &str, address: &str) -> Node {
        Node {
            instance: machine(id, address),
            user: "root".into(),
            port: 22,
            host_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGjOH5fDqWHuvjT0ZDvVUKo4Q0cdT0wOv0Fjfz0OXbGK"
                .parse()
                .unwrap(),
            host_key_source: None,
            via: None,
        }
    }

    #[test]
    fn a_node_is_where_it_was_seen_last() {
        let memory = Memory::default();
        assert_eq!(memory.node(node("i-1", "10.0.0.1")), node("i-1", "10.0.0.1"));
        memory.found(&machine("i-1", "10.0.0.1"));
        memory.answered(&node("i-1", "10.0.0.2"));
        assert_eq!(memory.node(node("i-1", "10.0.0.1")), node("i-1", "10.0.0.2"));
        assert!(memory.pinned(&machine("i-1", "10.0.0.1")).is_some());
    }

    /// A launch that was replayed alone: what is on the nodes is out of date, and says so.
    #[test]
    fn a_machine_that_has_not_answered_yet_is_no_node_of_before() {
        let memory = Memory::default();
        memory.found(&machine("i-1", "10.0.0.1"));
        memory.answered(&node("i-1", "10.0.0.1"));
        memory.found(&machine("i-2", "10.0.0.1"));
        assert_eq!(memory.machine(machine("i-1", "10.0.0.1")).id, "i-2");
        assert_eq!(memory.node(node("i-2", "10.0.0.1")).id, "i-2");
        assert!(memory.pinned(&machine("i-2", "10.0.0.1")).is_none());
    }

    /// A container has the name of the one before it.
    #[test]
    fn a_machine_that_was_made_anew_has_a_key_of_its_own_whatever_it_is_called() {
        let memory = Memory::default();
        memory.found(&machine("i-1", "10.0.0.1"));
        memory.answered(&node("i-1", "10.0.0.1"));
        memory.made(&machine("i-1", "10.0.0.1"));
        assert!(memory.pinned(&machine("i-1", "10.0.0.1")).is_none());
    }
}
