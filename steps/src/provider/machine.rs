//! A machine as its provider shows it.

use mesosflow_workflow::{Driver, Resource};

use crate::cluster::{HostKeySource, Instance};
use crate::remote::HostKey;

/// A machine, and everything that came to exist with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The machine.
    pub instance: Instance,
    /// The machine itself and its volumes, spot request, …
    pub resources: Vec<Resource>,
    /// The driver that made it, as its tags say; none where they say nothing.
    pub driver: Option<Driver>,
}

/// Something that stands in a machine's place and should not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outdated {
    /// What it is.
    pub resource: Resource,
    /// The driver that made it, as its tags say; none where they say nothing.
    pub driver: Option<Driver>,
}

/// How a machine is, as its provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// On its way; in words.
    Booting(String),
    /// It runs; its addresses are the ones it has now, and what came with it is all there.
    Running(Box<Machine>),
    /// The provider does not show it: not yet, or not any more. In words.
    Unknown(String),
    /// It is being stopped, and cannot be started yet; in words.
    Stopping(String),
    /// It does not run, and somebody can start it again; why, in the provider's words.
    Stopped(String),
    /// It will never run by itself; why, in the provider's words.
    Dead(String),
}

impl Condition {
    /// That a machine runs which nothing came with.
    pub(crate) fn running_alone(instance: &Instance) -> Self {
        Self::Running(Box::new(Machine {
            instance: instance.clone(),
            resources: Vec::new(),
            driver: None,
        }))
    }
}

/// What is known of a machine's host keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKeys {
    /// These, and by which way, where there are several.
    Known(Vec<HostKey>, Option<HostKeySource>),
    /// None yet; what is waited for, in words.
    NotYet(String),
    /// The user chose to take whatever key the machine shows.
    AcceptNew,
}
