//! A node of a cluster made fit to be the image of other clusters' nodes: Mesos, Hadoop, Spark and ZooKeeper stay, all that is the
//! cluster's goes.
//!
//! [`traces`] is the one list of what a cluster leaves on a node; [`prepare`] acts on it.

pub mod prepare;
pub mod traces;

pub use prepare::{Disk, Outlook, look, prepare};
pub use traces::{Fate, KEEPS, TRACES, Trace};
