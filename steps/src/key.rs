//! The cluster's own key: made for the run, never the user's.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ssh_key::{Algorithm, LineEnding, PrivateKey};

/// The private key's file in the run's folder.
const FILE: &str = "cluster_ed25519";

/// An ed25519 key pair in the run's folder.
#[derive(Debug, Clone)]
pub struct ClusterKey {
    path: PathBuf,
    public: String,
}

/// The key cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file cannot be read or written.
    #[error("cannot {doing} the cluster's key {}", path.display())]
    File {
        /// `read` or `write`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The file does not hold a key, or none could be made.
    #[error("the cluster's key {} is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ssh_key::Error,
    },
}

impl ClusterKey {
    /// Reads the key of the run whose folder this is, or makes it there, mode 0600. The file appears whole or not at all.
    ///
    /// # Errors
    /// The folder cannot be written, or the file in it is no key.
    pub fn open(folder: &Path, comment: &str) -> Result<Self, KeyError> {
        let path = folder.join(FILE);
        let damaged = |source| KeyError::Damaged {
            path: path.clone(),
            source,
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut key = PrivateKey::random(&mut ssh_key::rand_core::OsRng, Algorithm::Ed25519)
                    .map_err(damaged)?;
                key.set_comment(comment);
                let text = key.to_openssh(LineEnding::LF).map_err(damaged)?;
                write_new(&path, text.as_bytes()).map_err(|source| KeyError::File {
                    doing: "write",
                    path: path.clone(),
                    source,
                })?;
                text.to_string()
            }
            Err(source) => {
                return Err(KeyError::File {
                    doing: "read",
                    path,
                    source,
                });
            }
        };
        let key = PrivateKey::from_openssh(&text).map_err(damaged)?;
        let public = key.public_key().to_openssh().map_err(damaged)?;
        Ok(Self { path, public })
    }

    /// Reads the key of the run whose folder this is.
    ///
    /// # Errors
    /// There is none, or the file is no key.
    pub fn read(folder: &Path) -> Result<Self, KeyError> {
        let path = folder.join(FILE);
        match std::fs::metadata(&path) {
            Ok(_) => Self::open(folder, ""),
            Err(source) => Err(KeyError::File {
                doing: "read",
                path,
                source,
            }),
        }
    }

    /// The private key's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The public key as an `authorized_keys` line.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The private key, for the one place that needs it: the first master, over a command's input.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn private(&self) -> Result<Vec<u8>, std::io::Error> {
        std::fs::read(&self.path)
    }
}

/// Writes a file of mode 0600 that appears whole or not at all.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let half = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&half)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(half, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let made = ClusterKey::open(folder.path(), "mesosflow demo").unwrap();
        let again = ClusterKey::open(folder.path(), "another").unwrap();
        assert_eq!(made.public(), again.public());
        assert!(made.public().starts_with("ssh-ed25519 ") && made.public().ends_with(" mesosflow demo"));
        assert_eq!(
            std::fs::metadata(made.path()).unwrap().permissions().mode() & 0o777,
            0o600
        );
        std::fs::write(made.path(), "nonsense").unwrap();
        assert!(matches!(
            ClusterKey::open(folder.path(), "x"),
            Err(KeyError::Damaged { .. })
        ));
    }
}
