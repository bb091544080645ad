//! The EC2 provider: instances of Amazon EC2, found by their tags, launched under client tokens.
//!
//! Everything that it makes carries the tags of [`tags`] in the very call that makes it, so that a machine which nobody
//! was told of, because the answer was lost or the controller was killed, is found and never paid for unseen.

mod api;
mod failure;
mod image;
pub mod rules;
mod sight;
mod user_data;

mod console;
mod consoles;
mod crowd;
mod delete;
mod examine;
mod facts;
mod frozen;
mod groups;
mod host_keys;
mod instances;
mod kept;
mod launch;
mod launcher;
mod network;
mod owned;
mod pace;
#[cfg(test)]
mod permissions;
mod plan;
mod power;
mod provider;
mod retag;
mod strangers;
mod tags;
mod volumes;

pub use api::{settle, verify};
pub use examine::examine;
pub use frozen::settle_user_data;
pub use instances::{VOLUME_DEVICE, ephemeral_names};
pub(in crate::provider) use plan::creates;
pub use provider::Ec2Provider;
pub(crate) use user_data::LIMIT as USER_DATA_LIMIT;
