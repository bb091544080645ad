//! The local provider: nodes are containers of this machine's engine, booted with systemd, on a network of their own.

pub mod engine;
mod examine;
pub mod image;
mod labels;
mod launcher;
mod names;
mod plan;
mod provider;
mod shown;

pub use examine::examine;
pub(in crate::provider) use plan::creates;
pub use provider::LocalProvider;
