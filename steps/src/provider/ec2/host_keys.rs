//! Host keys made here and handed over in user data: kept in the run's folder, made before the machine is.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use ssh_key::{Algorithm, LineEnding, PrivateKey};

use crate::key::write_new;
use crate::remote::HostKey;

/// A machine's host key.
pub(super) struct Made {
    /// For the machine.
    pub(super) private: String,
    /// For everybody.
    pub(super) public: String,
}

/// The host key of a machine, made if there is none yet; 0600, whole or not at all. A machine of another generation is
/// another machine.
///
/// # Errors
/// The folder cannot be read or written, or holds something else.
pub(super) fn make(folder: &Path, name: &str, generation: &str) -> Result<Made, String> {
    let path = path(folder, name, generation);
    if let Ok(text) = std::fs::read_to_string(&path) {
        return read(&text).map_err(|error| format!("{}: {error}", path.display()));
    }
    let key = PrivateKey::random(&mut ssh_key::rand_core::OsRng, Algorithm::Ed25519);
    let text = key
        .and_then(|key| key.to_openssh(LineEnding::LF))
        .map_err(|error| error.to_string())?;
    write(&path, &text).map_err(|error| format!("{}: {error}", path.display()))?;
    read(&text).map_err(|error| error.to_string())
}

/// The public half of the host key that was made for a machine.
///
/// # Errors
/// There is none, or it cannot be read.
pub(super) fn public(folder: &Path, name: &str, generation: &str) -> Result<HostKey, String> {
    let path = path(folder, name, generation);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let made = read(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    made.public
        .parse()
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn path(folder: &Path, name: &str, generation: &str) -> PathBuf {
    folder
        .join("host_keys")
        .join(format!("{name}-g{generation}_ed25519"))
}

fn read(text: &str) -> Result<Made, ssh_key::Error> {
    let key = PrivateKey::from_openssh(text)?;
    Ok(Made {
        private: text.to_owned(),
        public: key.public_key().to_openssh()?,
    })
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    write_new(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_machines_key_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let made = make(folder.path(), "demo-slave-1", "1").unwrap();
        assert_eq!(
            make(folder.path(), "demo-slave-1", "1").unwrap().public,
            made.public
        );
        assert_ne!(
            make(folder.path(), "demo-slave-1", "2").unwrap().public,
            made.public
        );
        assert_eq!(
            public(folder.path(), "demo-slave-1", "1").unwrap(),
            made.public.parse().unwrap()
        );
        let path = path(folder.path(), "demo-slave-1", "1");
        assert_eq!(
            std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(public(folder.path(), "demo-slave-2", "1").is_err());
    }
}
