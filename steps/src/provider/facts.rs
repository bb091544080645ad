//! What a machine is told of its cluster by its provider: what it asks for at every boot, before it has a session with anybody.

use std::collections::BTreeMap;

/// Facts by their names, each one of [`FACTS`]; one that is left out, or empty, holds no more. A list is separated by commas.
pub type Facts = BTreeMap<&'static str, String>;

/// The names of all facts: the cluster's epoch, by which the newer of two accounts is known; how many masters there are; where
/// the ZooKeepers are (`10.0.0.1:2181,10.0.0.2:2181,…`), and, where there are none, the master (`10.0.0.1:5050`).
pub const FACTS: [&str; 4] = ["epoch", "masters", "zookeepers", "master"];
