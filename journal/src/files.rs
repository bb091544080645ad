//! The journal's files and who may read them: nobody but their owner.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use mesosflow_workflow::StoreError;

use crate::error::unusable;

/// The mode of every file of a journal.
const FILE_MODE: u32 = 0o600;
/// The mode of every folder that a journal makes.
const FOLDER_MODE: u32 = 0o700;

/// `path` with `suffix` after its last component, as SQLite names the files beside a database.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Creates an empty file at `path`, and the folders above it, where there is none. Returns the path without symbolic
/// links: two names of one journal must lead to one place.
pub(crate) fn create(path: &Path) -> Result<PathBuf, StoreError> {
    let fail = |error: io::Error| unusable("create", path, error);
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create_folder(parent).map_err(fail)?;
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
    {
        // The name must survive a power cut as surely as what will be in the file.
        Ok(_) => File::open(parent)
            .and_then(|folder| folder.sync_all())
            .map_err(fail)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(fail(error)),
    }
    existing(path)?.ok_or_else(|| unusable("open", path, "it is a symbolic link to nothing"))
}

/// The path of an existing journal without symbolic links; `None` where there is no file.
pub(crate) fn existing(path: &Path) -> Result<Option<PathBuf>, StoreError> {
    let fail = |error: io::Error| unusable("open", path, error);
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => path.canonicalize().map(Some).map_err(fail),
        Ok(_) => Err(unusable("open", path, "it is not a file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fail(error)),
    }
}

/// Creates a folder, and those above it, for the owner only. One that exists keeps its mode.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)
}

/// Takes every right of group and others from the journal at `path` and the files beside it.
pub(crate) fn restrict(path: &Path) -> Result<(), StoreError> {
    for file in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        let metadata = match fs::metadata(&file) {
            Ok(metadata) => metadata,
            // The two beside it come and go with the processes that use the journal.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unusable("restrict", path, error)),
        };
        let mode = metadata.permissions().mode();
        if mode & 0o077 == 0 {
            continue;
        }
        match fs::set_permissions(&file, fs::Permissions::from_mode(mode & FILE_MODE)) {
            Ok(()) => {
                tracing::debug!(file = %file.display(), "others could read it: restricted to its owner")
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unusable("restrict to its owner", path, error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_beside_a_journal_have_its_name_in_front() {
        assert_eq!(
            beside(Path::new("/a/journal.sqlite"), "-wal"),
            Path::new("/a/journal.sqlite-wal")
        );
    }

    #[test]
    fn a_folder_in_the_place_of_the_journal_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(create(folder.path()), Err(StoreError::Unusable { .. })));
        assert!(matches!(
            existing(folder.path()),
            Err(StoreError::Unusable { .. })
        ));
        assert!(existing(&folder.path().join("none/at/all")).unwrap().is_none());
    }

    #[test]
    fn a_link_to_nothing_is_refused_and_not_followed_to_a_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("gone"), &link).unwrap();
        assert!(create(&link).is_err());
        assert!(!folder.path().join("gone").exists());
    }
}
