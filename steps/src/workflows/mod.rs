//! The workflows: one file each, a table of contents. [`by_name`] is the one list of them.

pub mod deploy;
pub mod destroy;
mod parts;
pub mod start;
pub mod stop;
#[cfg(test)]
mod tests;
mod workflow;

pub use deploy::Deploy;
pub use destroy::{Destroy, DestroyPlan, DestroySpec};
pub use parts::ansible_variables;
pub(crate) use parts::vars_of;
pub use start::{Lacking, Start, StartSpec};
pub use stop::{Stop, StopSpec};
pub use workflow::Workflow;
use workflow::{drive, entry, read};

/// Every workflow.
const ALL: [&dyn Workflow; 4] = [&Deploy, &Stop, &Start, &Destroy];

/// The workflow of that name; none where this program has none.
pub fn by_name(name: &str) -> Option<&'static dyn Workflow> {
    ALL.into_iter().find(|workflow| workflow.name() == name)
}

/// The names of all workflows.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().map(Workflow::name)
}
