//! Why the world of a run cannot be opened.

use std::path::PathBuf;

use mesosflow_workflow::StepError as _;

use crate::key::KeyError;
use crate::provider::ProviderError;

/// The world of a run cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The provider does not answer.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The cluster's key cannot be made or read, or is lost.
    #[error("cluster `{cluster}` cannot be logged in to")]
    Key {
        /// The cluster.
        cluster: String,
        /// What is wrong with the key.
        #[source]
        source: KeyError,
    },
    /// The cluster's folder cannot be made.
    #[error("cannot make the cluster's folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

impl WorldError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Provider(error) => error.hint(),
            Self::Key { source, .. } => source.hint(),
            Self::Folder { .. } => None,
        }
    }
}
