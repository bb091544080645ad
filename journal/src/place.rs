//! Whether a journal can be kept at a path, looked at without making anything there.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use rustix::fs::{Access, access};

use crate::filesystem;

/// What was seen of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The folder of the journal, or the nearest one above that exists.
    pub folder: PathBuf,
    /// Whether the journal's own file is there.
    pub has_file: bool,
    /// Whether this user may write there: to the file where there is one, and to the folder.
    pub is_writable: bool,
    /// The name of the network file system that it is on, where it is on one.
    pub network: Option<String>,
    /// What is free on its file system for this user, bytes.
    pub free_bytes: u64,
}

/// Looks where a journal would be.
///
/// # Errors
/// No folder above it can be looked at.
pub fn look_at(path: &Path) -> io::Result<Place> {
    let path = std::path::absolute(path)?;
    let mut folders = path.ancestors().skip(1);
    let folder = folders.find(|folder| folder.is_dir());
    let folder = folder.ok_or(io::ErrorKind::NotFound)?.to_owned();
    let has_file = path.is_file();
    let may = |path: &Path, how| access(path, how).is_ok();
    let is_writable =
        may(&folder, Access::WRITE_OK | Access::EXEC_OK) && (!has_file || may(&path, Access::WRITE_OK));
    let space = statvfs(&folder)?;
    Ok(Place {
        network: filesystem::network(&File::open(&folder)?)?,
        has_file,
        is_writable,
        // The width of these differs between systems.
        #[expect(clippy::useless_conversion, reason = "not everywhere")]
        free_bytes: u64::from(space.blocks_available()) * u64::from(space.fragment_size()),
        folder,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn a_place_is_looked_at_where_nothing_is_yet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("not/yet/journal.sqlite");
        let place = look_at(&path).unwrap();
        assert_eq!((place.folder.as_path(), place.has_file), (folder.path(), false));
        assert!(place.is_writable && place.free_bytes > 0, "{place:?}");
        assert_eq!(place.network, None);
        assert!(!folder.path().join("not").exists());
        let file = folder.path().join("journal.sqlite");
        std::fs::write(&file, "").unwrap();
        assert!(look_at(&file).unwrap().has_file);
        // Root may write everywhere.
        let shut = folder.path().join("shut");
        std::fs::create_dir(&shut).unwrap();
        std::fs::set_permissions(&shut, std::fs::Permissions::from_mode(0o500)).unwrap();
        let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
        assert_eq!(
            look_at(&shut.join("journal.sqlite")).unwrap().is_writable,
            is_root
        );
    }
}
