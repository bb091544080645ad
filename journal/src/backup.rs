//! Copies of a journal: made while a run goes on, and put back where there is none.
//!
//! Both are written under another name, verified and synced before they get theirs: whatever ends the program, under the
//! final name there is a whole journal or nothing.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use mesosflow_workflow::StoreError;
use rusqlite::Connection;
use rusqlite::backup::{Backup as Copying, StepResult};
use rustix::fs::{CWD, OFlags, RenameFlags};

use crate::check::{self, Report};
use crate::connect::{Access, connect};
use crate::error::{sqlite, unusable};
use crate::files::{beside, create_folder};
use crate::schema;
use crate::store::SqliteJournal;

/// What a journal is called in a backup.
pub const BACKUP_NAME: &str = "journal.sqlite";

/// A copy of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The file.
    pub path: PathBuf,
    /// What was found when the copy was read from its beginning to its end.
    pub report: Report,
}

/// What was copied of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Copied {
    /// How many files.
    pub files: u64,
    /// What was passed over, being neither a file nor a folder.
    pub skipped: Vec<PathBuf>,
}

impl SqliteJournal {
    /// Copies the journal into `folder`, as it is in one moment, whoever writes to it meanwhile. The folder is made, or is
    /// there and empty; it is the owner's alone afterwards. The copy is read as a whole before it gets its name: what is
    /// damaged in the journal is damaged in the copy, and is in the report.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unusable`] where the folder has something in it or the copy cannot be written. Nothing is left then.
    pub async fn backup(&self, folder: &Path) -> Result<Backup, StoreError> {
        let folder = folder.to_owned();
        self.with_reader(move |connection, path| back_up(connection, path, &folder))
            .await
    }
}

fn back_up(connection: &Connection, path: &Path, folder: &Path) -> Result<Backup, StoreError> {
    empty_folder(folder)?;
    let part = Part::create(&folder.join(BACKUP_NAME))?;
    copy(connection, path, &part.path)?;
    let report = verified(&part.path)?;
    let path = part.finish()?;
    Ok(Backup { path, report })
}

/// Puts the journal of the backup in `folder` where `journal` says, if there is none. The copy is verified before it gets
/// its name; what is damaged in single runs is in the report, and keeps the others from nothing.
///
/// # Errors
///
/// [`StoreError::Unusable`] where a journal is there already, or the folder has no whole backup;
/// [`StoreError::Corrupt`] and [`StoreError::NewerFormat`] for a backup that could not be used.
pub fn restore(folder: &Path, journal: &Path) -> Result<Report, StoreError> {
    let source = folder.join(BACKUP_NAME);
    for there in [journal.to_owned(), beside(journal, "-wal")] {
        if fs::symlink_metadata(&there).is_ok() {
            return Err(unusable(
                "restore",
                journal,
                format!("there is `{}` already", there.display()),
            ));
        }
    }
    let fail = |error: io::Error| unusable("restore", &source, error);
    let mut from = open_file(&source).map_err(fail)?;
    if let Some(parent) = journal.parent() {
        create_folder(parent).map_err(|error| unusable("restore", journal, error))?;
    }
    let part = Part::create(journal)?;
    let copied = File::options()
        .write(true)
        .open(&part.path)
        .and_then(|mut to| io::copy(&mut from, &mut to));
    copied.map_err(|error| unusable("restore", journal, error))?;
    let report = verified(&part.path)?;
    part.finish()?;
    Ok(report)
}

/// Copies the files of a folder, and of those in it, for the owner only: regular files, no links. A folder that does not
/// exist has none.
///
/// # Errors
///
/// [`StoreError::Unusable`] with the file that could not be read or written.
pub fn backup_folder(from: &Path, to: &Path) -> Result<Copied, StoreError> {
    let mut copied = Copied::default();
    match fs::symlink_metadata(from) {
        Ok(metadata) if metadata.is_dir() => copy_folder(from, to, &mut copied)?,
        Ok(_) => copied.skipped.push(from.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(uncopied(from, error)),
    }
    Ok(copied)
}

fn copy_folder(from: &Path, to: &Path, copied: &mut Copied) -> Result<(), StoreError> {
    create_folder(to).map_err(|error| uncopied(to, error))?;
    for entry in fs::read_dir(from).map_err(|error| uncopied(from, error))? {
        let entry = entry.map_err(|error| uncopied(from, error))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        // Of the entry itself, not of what a link leads to.
        let kind = entry.file_type().map_err(|error| uncopied(&path, error))?;
        if kind.is_dir() {
            copy_folder(&path, &target, copied)?;
        } else if kind.is_file() {
            copy_file(&path, &target).map_err(|error| uncopied(&path, error))?;
            copied.files += 1;
        } else {
            copied.skipped.push(path);
        }
    }
    sync_folder(to).map_err(|error| uncopied(to, error))
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut from = open_file(from)?;
    let mut to = new_file(to)?;
    io::copy(&mut from, &mut to)?;
    to.sync_all()
}

fn uncopied(path: &Path, error: io::Error) -> StoreError {
    StoreError::Unusable {
        doing: format!("cannot copy `{}`", path.display()),
        source: error.into(),
    }
}

/// Opens a regular file for reading, and nothing that only leads to one.
fn open_file(path: &Path) -> io::Result<File> {
    let no_follow = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(no_follow.cast_signed())
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"))
    }
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes `folder`, or takes one that has nothing in it.
fn empty_folder(folder: &Path) -> Result<(), StoreError> {
    let fail = |error: io::Error| unusable("back up into", folder, error);
    create_folder(folder).map_err(fail)?;
    if fs::read_dir(folder).map_err(fail)?.next().is_some() {
        return Err(StoreError::Unusable {
            doing: format!("cannot back up into `{}`", folder.display()),
            source: "the folder is not empty".into(),
        });
    }
    // There will be keys beside the journal.
    fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(fail)
}

/// Copies what `from` reads, in one transaction, into the file at `to`.
fn copy(from: &Connection, path: &Path, to: &Path) -> Result<(), StoreError> {
    let fail = |error: rusqlite::Error| sqlite("copy into", to, &error);
    let mut target = connect(to, Access::Write)?;
    let step = Copying::new(from, &mut target)
        .and_then(|copying| copying.step(-1))
        .map_err(fail)?;
    if step != StepResult::Done {
        return Err(unusable("copy", path, format!("SQLite says {step:?}")));
    }
    // One file, that needs none beside it.
    target
        .pragma_update(None, "journal_mode", "delete")
        .map_err(fail)?;
    target.close().map_err(|(_, error)| fail(error))
}

/// Reads a copy as a whole. It is as an opening of it would find it, or an error.
fn verified(copy: &Path) -> Result<Report, StoreError> {
    let connection = connect(copy, Access::Write)?;
    schema::prepare_reader(&connection, copy)?;
    let connection = match schema::identify(&connection, copy)? {
        0 => return Err(unusable("read", copy, "the file is empty")),
        version if version < schema::LATEST => schema::migrated(&connection, copy)?,
        _ => connection,
    };
    check::check(&connection, copy)?;
    check::verify(&connection, copy)
}

/// A file that does not have its name yet. Unless it is finished, nothing stays of it.
struct Part {
    path: PathBuf,
    name: PathBuf,
    is_finished: bool,
}

impl Part {
    fn create(name: &Path) -> Result<Self, StoreError> {
        let path = beside(name, ".part");
        new_file(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => unusable(
                "write",
                &path,
                "a copy is being made there, or one that was broken off left it behind",
            ),
            _ => unusable("write", &path, error),
        })?;
        Ok(Self {
            path,
            name: name.to_owned(),
            is_finished: false,
        })
    }

    /// Gives it its name, which nothing else has.
    fn finish(mut self) -> Result<PathBuf, StoreError> {
        let fail = |error: io::Error| unusable("write", &self.name, error);
        File::open(&self.path)
            .and_then(|file| file.sync_all())
            .map_err(fail)?;
        match rustix::fs::renameat_with(CWD, &self.path, CWD, &self.name, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            // Some file systems cannot do both at once.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if !self.name.exists() => {
                fs::rename(&self.path, &self.name).map_err(fail)?;
            }
            Err(error) => return Err(fail(error.into())),
        }
        self.is_finished = true;
        if let Some(parent) = self.name.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_folder(parent).map_err(|error| unusable("write", &self.name, error))?;
        }
        Ok(self.name.clone())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        for file in [self.path.clone(), beside(&self.path, "-journal")] {
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(file = %file.display(), %error, "half a copy stays behind");
                }
                _ => {}
            }
        }
    }
}
