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
mod power;
mod provider;
mod retag;
mod strangers;
mod tags;
mod volumes;

pub use api::verify;
pub use examine::examine;
pub use provider::Ec2Provider;

use std::path::Path;

use super::{Provider, ProviderError};
use crate::cluster::ClusterSpec;

/// Opens the way to the API; `folder` is the run's.
///
/// # Errors
/// See [`Ec2Provider::open`].
pub(super) async fn open(
    spec: &ClusterSpec,
    folder: Option<&Path>,
) -> Result<Box<dyn Provider>, ProviderError> {
    Ok(Box::new(Ec2Provider::open(spec, folder).await?))
}

/// Settles what a spec leaves to the environment and to files.
///
/// # Errors
/// The environment does not tell, the account cannot be used, or the user data cannot be read.
pub(super) async fn settle(spec: ClusterSpec) -> Result<ClusterSpec, ProviderError> {
    api::settle(frozen::settle_user_data(spec)?).await
}
