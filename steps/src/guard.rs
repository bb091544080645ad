//! The look before something is destroyed that no node can protect: does anybody newer drive the cluster?

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::cluster::Node;

/// For how long an answer counts. A process that was stopped in between, or slept with its machine, asks again: the time of
/// day goes on meanwhile.
const FRESH: Duration = Duration::from_secs(2);

/// The nodes that can be asked, and what they said last.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    nodes: Vec<Node>,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    /// When the cluster was last said to be this driver's.
    asked: Option<SystemTime>,
    /// The instances that this driver has deleted by now.
    gone: BTreeSet<String>,
    /// Whether the user knows that no node answers.
    has_warned: bool,
}

impl Guard {
    /// A guard of these nodes; the one asked first comes first.
    pub(crate) fn of(nodes: Vec<Node>) -> Self {
        Self {
            nodes,
            memory: Mutex::default(),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The nodes to be asked; none where the last answer counts still.
    pub(crate) fn due(&self) -> Vec<Node> {
        let memory = self.memory();
        let age = memory
            .asked
            .map(|asked| SystemTime::now().duration_since(asked).unwrap_or(Duration::MAX));
        if age.is_some_and(|age| age < FRESH) {
            return Vec::new();
        }
        let left = self.nodes.iter().filter(|node| !memory.gone.contains(&node.id));
        left.cloned().collect()
    }

    /// The cluster is this driver's, as a node has just said.
    pub(crate) fn held(&self) {
        self.memory().asked = Some(SystemTime::now());
    }

    /// Whether the user has to be told that no node answers: once.
    pub(crate) fn warns(&self) -> bool {
        let mut memory = self.memory();
        // Nodes that are gone take their time to say nothing; what they did not say counts as long as what they say.
        memory.asked = Some(SystemTime::now());
        !std::mem::replace(&mut memory.has_warned, true)
    }

    /// This driver has deleted an instance: it is not asked any more.
    pub(crate) fn gone(&self, instance: &str) {
        self.memory().gone.insert(instance.to_owned());
    }
}
