//! User data that stays what it was. Under one token EC2 takes one call: whatever has become of the user's file and of this
//! program since, a launch that is tried again says the same to its machine, byte by byte.
//!
//! It is kept in the run's folder, 0600, since it may hold secrets: the user's own, and a host key. The journal has the digest of
//! the user's part alone, in the spec.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::network::refused;
use crate::cluster::{ClusterSpec, Ec2Spec};
use crate::key::write_new;
use crate::provider::ProviderError;

/// The user's part.
const OWN: &str = "own";

/// Writes into the spec what the user's part is as its run begins.
///
/// # Errors
/// It cannot be read.
pub(super) fn settle_user_data(mut spec: ClusterSpec) -> Result<ClusterSpec, ProviderError> {
    if let Some(path) = &spec.ec2.user_data {
        let text = read(path).map_err(|what| {
            let hint = "correct `user_data` under `[ec2]`";
            refused("the user data cannot be read".into(), what, hint)
        })?;
        spec.ec2.user_data_sha256 = Some(digest(&text));
    }
    Ok(spec)
}

/// The user's part as it was when the run began; none where there is none.
///
/// # Errors
/// It was not kept yet, and the file is another one by now or cannot be read; or it cannot be kept.
pub(super) fn own(folder: &Path, spec: &Ec2Spec) -> Result<Option<String>, String> {
    let Some(file) = &spec.user_data else {
        return Ok(None);
    };
    let kept = path(folder, OWN);
    if let Ok(text) = std::fs::read_to_string(&kept) {
        return Ok(Some(text));
    }
    let text = read(file)?;
    if spec
        .user_data_sha256
        .as_ref()
        .is_some_and(|known| *known != digest(&text))
    {
        return Err(format!(
            "{} is not what it was when the run began: put it back, or destroy the run and begin another",
            file.display()
        ));
    }
    keep(&kept, &text)?;
    Ok(Some(text))
}

/// What the machine of one launch is told, by the launch's name: made where nothing was kept under it.
///
/// # Errors
/// It cannot be made or kept.
pub(super) fn of_launch(
    folder: &Path,
    launch: &str,
    make: impl FnOnce() -> Result<String, String>,
) -> Result<String, String> {
    let kept = path(folder, launch);
    if let Ok(text) = std::fs::read_to_string(&kept) {
        return Ok(text);
    }
    let text = make()?;
    keep(&kept, &text)?;
    Ok(text)
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join("user_data").join(name)
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn keep(path: &Path, text: &str) -> Result<(), String> {
    let made = path.parent().map_or(Ok(()), |folder| {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
    });
    made.and_then(|()| write_new(path, text.as_bytes()))
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_was_said_once_is_said_again() {
        let run = tempfile::tempdir().unwrap();
        let file = run.path().join("mine");
        let mut spec = ClusterSpec::default();
        assert_eq!(own(run.path(), &spec.ec2).unwrap(), None);
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        spec.ec2.user_data = Some(file.clone());
        let spec = settle_user_data(spec).unwrap().ec2;

        // Before anything was kept, another file is refused.
        std::fs::write(&file, "#!/bin/bash\n").unwrap();
        assert!(own(run.path(), &spec).unwrap_err().contains("put it back"));
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        assert_eq!(own(run.path(), &spec).unwrap().as_deref(), Some("#!/bin/sh\n"));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(own(run.path(), &spec).unwrap().as_deref(), Some("#!/bin/sh\n"));

        let said = |name: &str, text: &str| of_launch(run.path(), name, || Ok(text.to_owned())).unwrap();
        assert_eq!(said("g1-demo-slave-1", "a"), "a");
        assert_eq!(said("g1-demo-slave-1", "b"), "a");
        assert_eq!(said("g1-demo-slave-1.1", "b"), "b");
        let mode = std::fs::metadata(path(run.path(), "g1-demo-slave-1"))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }
}
