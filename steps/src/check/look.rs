//! A look at a cluster: who is asked, for how long, and who is told.

use std::time::Duration;

use mesosflow_workflow::Nonce;
use tokio::time::Instant;

use super::asker::{Asker, Ways};
use super::{Finding, What};
use crate::act::ActError;
use crate::cluster::{Inventory, Node};

/// One look at a cluster: everything side by side, each finding told as it comes.
pub struct Check<'c> {
    pub(super) asker: Asker<'c>,
    /// Asks for the job of Spark's, which may take longer than all the rest.
    pub(super) for_job: Asker<'c>,
    pub(super) inventory: &'c Inventory,
    /// What its files and its task are called by.
    pub(super) nonce: String,
    pub(super) tell: &'c (dyn Fn(Finding) + Send + Sync),
}

impl<'c> Check<'c> {
    /// A look at the nodes of `inventory`, which has to be over after `limit`, a job of Spark's after a limit of its own: what gave no
    /// answer by then is bad.
    pub fn new(
        ways: &'c dyn Ways,
        inventory: &'c Inventory,
        (limit, limit_of_job): (Duration, Duration),
        tell: &'c (dyn Fn(Finding) + Send + Sync),
    ) -> Self {
        Self {
            asker: Asker::new(ways, limit),
            for_job: Asker::new(ways, limit_of_job),
            inventory,
            nonce: Nonce::generate().to_string(),
            tell,
        }
    }

    pub(super) fn tell(&self, what: What, node: Option<&Node>, outcome: Result<String, ActError>) {
        self.tell_of(what, node.map(|node| node.name.clone()), outcome);
    }

    /// The same of a machine that may be none of the cluster's record.
    pub(super) fn tell_of(&self, what: What, node: Option<String>, outcome: Result<String, ActError>) {
        (self.tell)(Finding { what, node, outcome });
    }

    pub(super) const fn until(&self) -> Instant {
        self.asker.until
    }
}
