//! The workflows: one file each, a table of contents. [`by_name`] is the one list of them.

mod add_slaves;
mod anew;
mod configure;
pub mod deploy;
pub mod destroy;
mod parts;
mod redeploy;
mod remove_slaves;
mod replace_node;
mod rollback;
mod set_up;
pub mod start;
pub mod stop;
#[cfg(test)]
mod tests;
mod without;
mod workflow;

pub use crate::hdfs::FileSystems;
pub use add_slaves::{AddSlaves, AddSlavesSpec, Adopt};
pub use configure::{Configure, ConfigureSpec};
pub use deploy::Deploy;
pub use destroy::{Destroy, DestroyPlan, DestroySpec};
pub use parts::ansible_variables;
pub(crate) use parts::vars_of;
pub use redeploy::{Redeploy, RedeploySpec};
pub use remove_slaves::{RemoveSlaves, RemoveSlavesSpec};
pub use replace_node::{LostHub, ReplaceNode, ReplaceNodeSpec};
pub use rollback::{KeepSlavesSpec, Rollback, RollbackSpec, Undo};
pub use start::{Lacking, Start, StartSpec};
pub use stop::{Stop, StopSpec};
pub use workflow::Workflow;
use workflow::{drive, entry, on_both, put_before, read};

/// Every workflow.
const ALL: [&dyn Workflow; 11] = [
    &Deploy,
    &Stop,
    &Start,
    &AddSlaves,
    &Adopt,
    &RemoveSlaves,
    &ReplaceNode,
    &Redeploy,
    &Configure,
    &Rollback,
    &Destroy,
];

/// The workflow of that name; none where this program has none.
pub fn by_name(name: &str) -> Option<&'static dyn Workflow> {
    ALL.into_iter().find(|workflow| workflow.name() == name)
}

/// The names of all workflows.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().map(Workflow::name)
}
