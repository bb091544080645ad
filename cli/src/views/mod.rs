//! What there is to know of runs and clusters, in the shapes that commands print and pages show.

pub(crate) mod chronicle;
pub(crate) mod cluster;
pub(crate) mod critical;
#[cfg(test)]
pub(crate) mod history;
pub(crate) mod phases;
pub(crate) mod runs;
pub(crate) mod status;
pub(crate) mod timeline;
