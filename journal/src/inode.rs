//! A file itself, whatever it is called, and which of them this process has open.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
use rustix::io::Errno;

/// A file itself: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file that was looked at.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }

    /// The file at `path`, which is no link; `None` where there is none.
    ///
    /// Its times are not asked for. A kernel with multigrain timestamps (Linux 6.13) gives a file whose times were seen new
    /// ones with the very next write, and `fsync` then has the inode to write as well: a commit cost 1.3 times as much.
    pub(crate) fn at(path: &Path) -> io::Result<Option<Self>> {
        match statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::INO) {
            Ok(found) => Ok(Some(Self {
                device: makedev(found.stx_dev_major, found.stx_dev_minor),
                inode: found.stx_ino,
            })),
            // A kernel or a sandbox without `statx`.
            Err(Errno::NOSYS | Errno::PERM) => Ok(look(path)?.as_ref().map(Self::of)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The device's major and minor number.
    pub(crate) const fn device(self) -> (u64, u64) {
        (
            nix::sys::stat::major(self.device),
            nix::sys::stat::minor(self.device),
        )
    }

    /// The same as bytes, the same for every process.
    pub(crate) fn bytes(self) -> [u8; 16] {
        (u128::from(self.device) << 64 | u128::from(self.inode)).to_le_bytes()
    }
}

/// How long the file at `path` is, in bytes, 0 where there is none. Its times are not asked for; see [`FileId::at`].
pub(crate) fn length(path: &Path) -> u64 {
    match statx(CWD, path, AtFlags::empty(), StatxFlags::SIZE) {
        Ok(found) => found.stx_size,
        Err(Errno::NOSYS | Errno::PERM) => fs::metadata(path).map_or(0, |metadata| metadata.len()),
        Err(_) => 0,
    }
}

/// What is at `path`, links not followed; `None` where nothing is.
pub(crate) fn look(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The descriptors of this process that are files.
pub(crate) type Descriptors = BTreeMap<PathBuf, FileId>;

/// Those there are now; `None` where the kernel does not show them.
pub(crate) fn descriptors() -> Option<Descriptors> {
    let folder = fs::read_dir("/proc/self/fd").ok()?;
    let files = folder.filter_map(|entry| {
        let path = entry.ok()?.path();
        let metadata = fs::metadata(&path).ok()?;
        metadata.is_file().then(|| (path, FileId::of(&metadata)))
    });
    Some(files.collect())
}

/// Whether one of this process's descriptors is `file`; where the kernel does not show them, it is believed.
pub(crate) fn has_open(file: FileId) -> bool {
    descriptors().is_none_or(|open| open.values().any(|id| *id == file))
}

/// Whether what came to the descriptors is `file`. Nothing comes where SQLite has a descriptor left from before.
pub(crate) fn is_opened(file: FileId, before: &Descriptors, after: &Descriptors) -> bool {
    let mut new = after
        .iter()
        .filter(|(path, id)| before.get(*path) != Some(*id))
        .map(|(_, id)| *id)
        .peekable();
    new.peek().is_none() || new.any(|id| id == file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(files: &[(&str, u64)]) -> Descriptors {
        files
            .iter()
            .map(|(path, inode)| {
                (
                    PathBuf::from(path),
                    FileId {
                        device: 1,
                        inode: *inode,
                    },
                )
            })
            .collect()
    }

    #[test]
    fn a_file_is_the_same_by_its_path_and_by_its_metadata() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let of = |path| FileId::of(&fs::symlink_metadata(path).unwrap());
        assert_eq!(FileId::at(&file).unwrap(), Some(of(&file)));
        assert_eq!(
            FileId::at(&link).unwrap(),
            Some(of(&link)),
            "a link is not followed"
        );
        assert_eq!(FileId::at(&folder.path().join("none")).unwrap(), None);
        assert_eq!(FileId::at(&file.join("beneath a file")).unwrap(), None);
    }

    #[test]
    fn another_file_that_sqlite_has_opened_is_noticed() {
        let file = FileId { device: 1, inode: 7 };
        let before = opened(&[("3", 7), ("4", 8)]);
        let right = opened(&[("3", 7), ("4", 8), ("5", 7)]);
        let wrong = opened(&[("3", 7), ("4", 8), ("5", 9)]);
        assert!(is_opened(file, &before, &right));
        assert!(!is_opened(file, &before, &wrong));
        assert!(is_opened(file, &before, &before), "a descriptor from before");
        let both = opened(&[("3", 7), ("4", 9), ("5", 7)]);
        assert!(is_opened(file, &before, &both), "another thread opens files too");
    }
}
