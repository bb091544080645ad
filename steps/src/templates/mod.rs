//! The deployed tree: embedded templates, one's own laid over them, rendered strictly.

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod guards;
#[cfg(test)]
mod identity;
mod tree;
mod vars;

pub(crate) use tree::{RenderedTree, TemplateError, render};
pub(crate) use vars::DeployVars;
pub(crate) use vars::mount_points;
pub use vars::replications;
