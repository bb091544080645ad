//! Which file a journal is, whatever its path says.
//!
//! A process has one descriptor of its own on a journal's file, however often it opens the journal: the *anchor*. It is
//! opened before SQLite opens the file and closed after SQLite has closed it, because closing *any* descriptor of a file
//! drops the POSIX locks that SQLite holds on it in this process. For the same reason nothing else in this program
//! opens the file. The anchor carries the locks of drivers ([`crate::lock`]) and says where the journal was opened.
//!
//! # One place
//!
//! SQLite finds the files beside a journal (`-wal`, `-shm`) by its path. Two processes that reach one file by two paths
//! have two logs, and destroy what they write, whether they drive the same run or only read. So each process holds a
//! shared lock on the *place* at which it opened the file, folder and name, and refuses to open it while anybody holds
//! another one. Symbolic links are resolved before, and lead to one place; so does a folder that is mounted twice.
//! A hard link, a file that is mounted somewhere else, a file that was renamed while it is in use lead to several.
//!
//! The other way round, a log may not come to serve two journals: who replaces a journal that is in use leaves its log to
//! the new file. The log is claimed for its journal by the same kind of lock.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mesosflow_workflow::StoreError;
use nix::libc;
use rusqlite::Connection;

use crate::connect::{Access, connect};
use crate::error::unusable;
use crate::files::{self, beside};
use crate::filesystem;
use crate::holder;
use crate::inode::{FileId, descriptors, is_opened, look};
use crate::range::{self, Kind, Slot};
use crate::refusal;

/// How often opening begins again where the file is renamed under it.
const ATTEMPTS: u32 = 100;

/// How a journal may be opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Even on a network file system: the user vouches that no other machine uses the journal, and that locks work there.
    pub on_network: bool,
}

/// The files that this process has open as journals.
static OPEN: Mutex<BTreeMap<FileId, Arc<Inode>>> = Mutex::new(BTreeMap::new());

type Open = BTreeMap<FileId, Arc<Inode>>;

fn registry() -> MutexGuard<'static, Open> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One journal's file in this process.
#[derive(Debug)]
struct Inode {
    id: FileId,
    file: File,
    place: Slot,
    /// Descriptors that were opened by mistake, and that may not be closed before.
    spares: Mutex<Vec<File>>,
    /// The log that is claimed for this file.
    log: Mutex<Option<File>>,
    /// The locks that drivers in this process hold.
    held: Mutex<BTreeSet<Slot>>,
    set_up: Mutex<()>,
}

/// This process's hold on a journal's file. Whoever has a connection to the file has one of these as well.
#[derive(Debug, Clone)]
pub(crate) struct Anchor {
    /// None only while it is dropped.
    inode: Option<Arc<Inode>>,
    path: PathBuf,
    is_writable: bool,
}

impl Drop for Anchor {
    fn drop(&mut self) {
        let mut open = registry();
        let id = self.id();
        self.inode = None;
        // Closed under the registry's lock: a connection that another thread opened just now would lose its locks.
        if open.get(&id).is_some_and(|inode| Arc::strong_count(inode) == 1) {
            open.remove(&id);
        }
    }
}

impl Anchor {
    /// The journal at `path`, which is created where there is none.
    pub(crate) fn create(path: &Path, options: Options) -> Result<Self, StoreError> {
        // Before anything is made there.
        vouched(&existing_folder(path), path, options)?;
        // The new file is open for an instant, and nobody else in this process may use it before it is closed.
        let open = registry();
        files::create(path)?;
        Self::open(open, path, options)?
            .ok_or_else(|| unusable("open", path, "it was deleted by another process just now"))
    }

    /// The journal at `path`; `None` where there is no file.
    pub(crate) fn existing(path: &Path, options: Options) -> Result<Option<Self>, StoreError> {
        Self::open(registry(), path, options)
    }

    fn open(
        mut open: MutexGuard<'_, Open>,
        path: &Path,
        options: Options,
    ) -> Result<Option<Self>, StoreError> {
        for _ in 0..ATTEMPTS {
            let Some(path) = files::existing(path)? else {
                return Ok(None);
            };
            if let Some(anchor) = attempt(&mut open, &path, options)? {
                return Ok(Some(anchor));
            }
        }
        Err(unusable("open", path, "it is renamed or replaced all the time"))
    }

    /// Where it was opened, without symbolic links.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file.
    pub(crate) fn id(&self) -> FileId {
        self.inode().id
    }

    /// The one descriptor.
    pub(crate) fn file(&self) -> &File {
        &self.inode().file
    }

    /// Whether the file could be opened for writing. That of an immutable medium cannot.
    pub(crate) const fn is_writable(&self) -> bool {
        self.is_writable
    }

    /// The locks that drivers in this process hold on it.
    pub(crate) fn held(&self) -> MutexGuard<'_, BTreeSet<Slot>> {
        self.inode().held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the other threads of this process from setting it up.
    pub(crate) fn set_up(&self) -> MutexGuard<'_, ()> {
        self.inode().set_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection of SQLite to this very file: SQLite opens by path, and what is there may change meanwhile.
    pub(crate) fn connect(&self, access: Access) -> Result<Attached, StoreError> {
        let fail = |error: io::Error| unusable("open", &self.path, error);
        self.claim_log()?;
        let _open = registry();
        for _ in 0..ATTEMPTS {
            if FileId::at(&self.path).map_err(fail)? != Some(self.id()) {
                break;
            }
            let before = descriptors();
            let connection = match connect(&self.path, access) {
                Ok(connection) => connection,
                Err(error) if FileId::at(&self.path).map_err(fail)? == Some(self.id()) => return Err(error),
                Err(_) => break,
            };
            let is_right = match (before, descriptors()) {
                (Some(before), Some(after)) => is_opened(self.id(), &before, &after),
                _ => true,
            };
            if is_right {
                return Ok(self.attach(connection));
            }
        }
        Err(unusable(
            "open",
            &self.path,
            "it was renamed or replaced just now",
        ))
    }

    /// Keeps this process's hold on the file for as long as `connection` lives.
    pub(crate) fn attach(&self, connection: Connection) -> Attached {
        Attached {
            connection,
            anchor: self.clone(),
        }
    }

    /// Claims the log beside the file, if there is one yet, against any other file that may come to this place.
    pub(crate) fn claim_log(&self) -> Result<(), StoreError> {
        let fail = |error: io::Error| unusable("claim the log of", &self.path, error);
        let path = beside(&self.path, "-wal");
        let inode = self.inode();
        let mut claimed = inode.log.lock().unwrap_or_else(PoisonError::into_inner);
        let log = match OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
        {
            Ok(log) => log,
            // Without a right to read it SQLite will say so, if it needs it.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
                ) =>
            {
                return Ok(());
            }
            Err(error) => return Err(fail(error)),
        };
        let id = |file: &File| file.metadata().map(|metadata| FileId::of(&metadata));
        if let Some(claimed) = &*claimed
            && id(claimed).map_err(fail)? == id(&log).map_err(fail)?
        {
            return Ok(());
        }
        let slot = Slot::place(&inode.id.bytes());
        range::take(&log, slot, Kind::Shared).map_err(fail)?;
        let log_id = id(&log).map_err(fail)?;
        if let Some(pid) = holder::settled(log_id, || range::elsewhere(&log, slot)).map_err(fail)? {
            return Err(refusal::log_in_use(&self.path, pid, log_id));
        }
        *claimed = Some(log);
        Ok(())
    }

    fn inode(&self) -> &Inode {
        match &self.inode {
            Some(inode) => inode,
            None => unreachable!("only an anchor that is being dropped has no file"),
        }
    }
}

/// Opens the file at `path`, a path without links; `None` where it was renamed meanwhile.
fn attempt(open: &mut Open, path: &Path, options: Options) -> Result<Option<Anchor>, StoreError> {
    let fail = |error: io::Error| unusable("open", path, error);
    let Some(metadata) = look(path).map_err(fail)? else {
        return Ok(None);
    };
    let id = FileId::of(&metadata);
    let Some(place) = place(path).map_err(fail)? else {
        return Ok(None);
    };
    let (inode, is_writable) = match open.get(&id) {
        Some(inode) => (
            Arc::clone(inode),
            nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).is_ok(),
        ),
        None => {
            let Some((file, is_writable)) = descriptor(path).map_err(fail)? else {
                return Ok(None);
            };
            let opened = FileId::of(&file.metadata().map_err(fail)?);
            if opened != id {
                if let Some(other) = open.get(&opened) {
                    other
                        .spares
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(file);
                }
                return Ok(None);
            }
            let inode = Inode {
                id,
                file,
                place,
                spares: Mutex::default(),
                log: Mutex::default(),
                held: Mutex::default(),
                set_up: Mutex::default(),
            };
            (Arc::new(inode), is_writable)
        }
    };
    if metadata.nlink() > 1 {
        return Err(refusal::several_names(path, metadata.nlink()));
    }
    settle(&inode, path, place)?;
    vouched_file(&inode.file, path, options)?;
    if FileId::at(path).map_err(fail)? != Some(id) {
        return Ok(None);
    }
    open.insert(id, Arc::clone(&inode));
    Ok(Some(Anchor {
        inode: Some(inode),
        path: path.to_owned(),
        is_writable,
    }))
}

/// Refuses a network file system, unless its user vouches for it.
fn vouched_file(file: &File, path: &Path, options: Options) -> Result<(), StoreError> {
    match filesystem::network(file).map_err(|error| unusable("open", path, error))? {
        Some(network) if !options.on_network => Err(refusal::on_network(path, &network)),
        _ => Ok(()),
    }
}

/// The same of a folder.
fn vouched(folder: &Path, path: &Path, options: Options) -> Result<(), StoreError> {
    let folder = File::open(folder).map_err(|error| unusable("open the folder of", path, error))?;
    vouched_file(&folder, path, options)
}

/// The folder of `path`, or the nearest above it that there is.
fn existing_folder(path: &Path) -> PathBuf {
    let above = path.ancestors().skip(1).find(|folder| folder.is_dir());
    above.unwrap_or(Path::new(".")).to_owned()
}

/// The one descriptor, and whether it may write; `None` where nothing is at `path` any more, or a link.
fn descriptor(path: &Path) -> io::Result<Option<(File, bool)>> {
    let open = |write| {
        OpenOptions::new()
            .read(true)
            .write(write)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)
    };
    let opened = match open(true) {
        Err(error) if is_read_only(&error) => open(false).map(|file| (file, false)),
        other => other.map(|file| (file, true)),
    };
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Where a file is: its folder, by itself, and its name in it. `None` where the folder is gone.
fn place(path: &Path) -> io::Result<Option<Slot>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(None);
    };
    Ok(FileId::at(folder)?.map(|folder| {
        let mut bytes = folder.bytes().to_vec();
        bytes.extend_from_slice(name.as_encoded_bytes());
        Slot::place(&bytes)
    }))
}

/// Says that this process uses the file at `place`, unless it is used at another one.
fn settle(inode: &Inode, path: &Path, place: Slot) -> Result<(), StoreError> {
    let fail = |error: io::Error| unusable("lock", path, error);
    if inode.place != place {
        return Err(refusal::second_path(path, std::process::id(), inode.id));
    }
    // First the own claim, then the look: of two that come at once, at least one sees the other.
    range::take(&inode.file, place, Kind::Shared).map_err(fail)?;
    match holder::settled(inode.id, || range::elsewhere(&inode.file, place)).map_err(fail)? {
        Some(pid) => Err(refusal::second_path(path, pid, inode.id)),
        None => Ok(()),
    }
}

/// A connection to a journal's file, closed before the process lets the file go.
#[derive(Debug)]
pub(crate) struct Attached {
    // Dropped in this order.
    connection: Connection,
    anchor: Anchor,
}

impl Attached {
    /// The file that it is attached to.
    pub(crate) const fn anchor(&self) -> &Anchor {
        &self.anchor
    }
}

impl Deref for Attached {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Attached {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inode::has_open;

    #[test]
    fn the_file_is_closed_with_the_last_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.sqlite");
        let one = Anchor::create(&path, Options::default()).unwrap();
        let two = Anchor::existing(&path, Options::default()).unwrap().unwrap();
        let connection = two.connect(Access::Write).unwrap();
        let id = one.id();
        assert_eq!(two.id(), id);
        drop(one);
        drop(two);
        assert!(has_open(id) && registry().contains_key(&id));
        drop(connection);
        assert!(!has_open(id) && !registry().contains_key(&id));
    }

    #[test]
    fn what_is_not_there_is_not_made_and_a_link_to_a_journal_leads_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.sqlite");
        assert!(Anchor::existing(&path, Options::default()).unwrap().is_none());
        let anchor = Anchor::create(&path, Options::default()).unwrap();
        let link = folder.path().join("link.sqlite");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let linked = Anchor::existing(&link, Options::default()).unwrap().unwrap();
        assert_eq!((linked.id(), linked.path()), (anchor.id(), anchor.path()));
    }
}
