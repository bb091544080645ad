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
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mesosflow_workflow::StoreError;
use nix::libc;
use rusqlite::Connection;

use crate::error::unusable;
use crate::files::{self, beside};
use crate::filesystem;
use crate::holder;
use crate::range::{self, Kind, Slot};
use crate::schema::{self, Access};

/// How often opening begins again where the file is renamed under it.
const ATTEMPTS: u32 = 100;

/// How a journal may be opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Even on a network file system: the user vouches that no other machine uses the journal, and that locks work there.
    pub on_network: bool,
}

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
    pub(crate) fn at(path: &Path) -> io::Result<Option<Self>> {
        Ok(look(path)?.as_ref().map(Self::of))
    }

    /// The device's major and minor number.
    pub(crate) const fn device(self) -> (u64, u64) {
        (
            nix::sys::stat::major(self.device),
            nix::sys::stat::minor(self.device),
        )
    }

    fn bytes(self) -> [u8; 16] {
        (u128::from(self.device) << 64 | u128::from(self.inode)).to_le_bytes()
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
            let connection = match schema::connect(&self.path, access) {
                Ok(connection) => connection,
                Err(error) if FileId::at(&self.path).map_err(fail)? == Some(self.id()) => return Err(error),
                Err(_) => break,
            };
            if is_opened(self.id(), &before, &descriptors()) {
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
        if let Some(pid) = range::elsewhere(&log, slot).map_err(fail)? {
            let log = id(&log).map_err(fail)?;
            return Err(StoreError::Misplaced {
                path: self.path.clone(),
                what: format!(
                    "was put in the place of another one that is still in use, by {}",
                    holder::describe(pid, log)
                ),
                remedy: "end that process, or wait until it has noticed, and try again".to_owned(),
            });
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
        return Err(several_names(path, metadata.nlink()));
    }
    settle(&inode, path, place)?;
    if let Some(network) = filesystem::network(&inode.file).map_err(fail)?
        && !options.on_network
    {
        return Err(on_network(path, &network));
    }
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
        return Err(second_path(path, std::process::id(), inode.id));
    }
    // First the own claim, then the look: of two that come at once, at least one sees the other.
    range::take(&inode.file, place, Kind::Shared).map_err(fail)?;
    match range::elsewhere(&inode.file, place).map_err(fail)? {
        Some(pid) => Err(second_path(path, pid, inode.id)),
        None => Ok(()),
    }
}

fn second_path(path: &Path, pid: u32, id: FileId) -> StoreError {
    StoreError::Misplaced {
        path: path.to_owned(),
        what: format!(
            "is in use under another path, by {}",
            holder::describe(pid, id)
        ),
        remedy: "use the path under which it was opened first; where it was moved, move it back, with the files beside \
                 it (`-wal`, `-shm`)"
            .to_owned(),
    }
}

fn several_names(path: &Path, names: u64) -> StoreError {
    StoreError::Misplaced {
        path: path.to_owned(),
        what: format!("has {names} names (hard links), and each would have a log of its own"),
        remedy: format!(
            "remove the others, or make copies of them: `find / -xdev -samefile {}` shows them",
            path.display()
        ),
    }
}

fn on_network(path: &Path, network: &str) -> StoreError {
    StoreError::Misplaced {
        path: path.to_owned(),
        what: format!(
            "is on a network file system ({network}): SQLite's log needs memory that all who use it share, and the lock \
             on a run may not reach other machines"
        ),
        remedy: "keep it on a local disk (--journal), or, if no other machine ever uses it, give --journal-on-network"
            .to_owned(),
    }
}

/// The descriptors of this process that are files; none where the kernel does not show them.
fn descriptors() -> BTreeMap<PathBuf, FileId> {
    let Ok(folder) = fs::read_dir("/proc/self/fd") else {
        return BTreeMap::new();
    };
    folder
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let metadata = fs::metadata(&path).ok()?;
            metadata.is_file().then(|| (path, FileId::of(&metadata)))
        })
        .collect()
}

/// Whether one of this process's descriptors is `file`; where the kernel does not show them, it is believed.
pub(crate) fn has_open(file: FileId) -> bool {
    let open = descriptors();
    open.is_empty() || open.values().any(|id| *id == file)
}

/// Whether what came to the descriptors is `file`. Nothing comes where SQLite has a descriptor left from before.
fn is_opened(file: FileId, before: &BTreeMap<PathBuf, FileId>, after: &BTreeMap<PathBuf, FileId>) -> bool {
    let mut new = after
        .iter()
        .filter(|(path, id)| before.get(*path) != Some(*id))
        .map(|(_, id)| *id)
        .peekable();
    new.peek().is_none() || new.any(|id| id == file)
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
