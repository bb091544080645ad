//! Whether what is written still goes to the file that the journal's path names.
//!
//! A file that is deleted, moved or replaced while it is open takes writes as before, and nobody will ever read them. So
//! path and descriptor are compared before anything is written and once more before a commit is acknowledged: the
//! journal itself, and the two files beside it, without which the next to open it sees another journal. That takes three
//! looks at a path, a few microseconds where a commit takes some hundred. Of commits that follow each other closely, the
//! look after the one is the look before the other.
//!
//! A file that is overwritten in place is the same file. Its header tells, as far as it can: SQLite counts changes there
//! and never counts back, and a journal never gets shorter. The header is read only when the file has changed.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::Failure;
use crate::files::beside;
use crate::identity::Anchor;
use crate::inode::{FileId, has_open, look};

/// For how long a look before writing is not repeated. What is written into a displaced file meanwhile is not acknowledged.
const FRESH: Duration = Duration::from_millis(10);

/// What has happened to a journal in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Displacement {
    /// Its path names no file or another one; the file itself, where it is still to be found.
    Elsewhere {
        /// Another file is in its place.
        is_replaced: bool,
        /// Where it was moved to; none if it was deleted.
        now: Option<PathBuf>,
    },
    /// It has another content.
    Overwritten,
    /// A file beside it was deleted or replaced.
    Parted(PathBuf),
    /// It cannot be looked at.
    Unseen(String),
}

impl Displacement {
    /// What to tell everyone who waits for a commit to the journal at `path`.
    pub(crate) fn failure(&self, path: &Path) -> Failure {
        let (what, remedy) = match self {
            Self::Elsewhere { is_replaced, now } => {
                let replaced = if *is_replaced { ", and another file is in its place" } else { "" };
                match now {
                    Some(now) => (
                        format!("was moved to `{}` while it was in use{replaced}", now.display()),
                        "move it back, then `mesosflow resume`".to_owned(),
                    ),
                    None => (
                        format!("was deleted while it was in use{replaced}"),
                        "put a backup in its place, or find what the run has made by its tags and destroy it; nothing \
                         that came after was recorded"
                            .to_owned(),
                    ),
                }
            }
            Self::Overwritten => (
                "was overwritten while it was in use".to_owned(),
                "what it holds now goes without the newest events of before: look at it with `mesosflow journal check` \
                 before `mesosflow resume`"
                    .to_owned(),
            ),
            Self::Parted(file) => (
                format!("lost `{}` while it was in use: it was deleted or replaced", file.display()),
                "leave the files beside a journal alone; `mesosflow journal check`, then `mesosflow resume`".to_owned(),
            ),
            Self::Unseen(error) => (
                format!("cannot be looked at: {error}"),
                "make its folder accessible again, then `mesosflow resume`".to_owned(),
            ),
        };
        Failure::Misplaced {
            path: path.to_owned(),
            what,
            remedy,
        }
    }
}

/// What was seen of a journal so far.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// The files beside it, once SQLite has made them.
    beside: Option<[(PathBuf, FileId); 2]>,
    /// The file's length and times at the last look.
    stamp: Option<Stamp>,
    /// What the header said then.
    header: Option<Header>,
    /// When all was well.
    last: Option<Instant>,
}

type Stamp = (u64, [i64; 4]);

impl Watch {
    /// Looks whether the journal may be written to, unless that was seen just now.
    pub(crate) fn check_before(&mut self, anchor: &Anchor) -> Result<(), Displacement> {
        match self.last {
            Some(last) if last.elapsed() < FRESH => Ok(()),
            _ => self.check(anchor),
        }
    }

    /// Looks whether the journal is where it was opened, and all there.
    pub(crate) fn check(&mut self, anchor: &Anchor) -> Result<(), Displacement> {
        let path = anchor.path();
        let metadata = in_place(anchor)?;
        self.check_content(anchor.file(), &metadata)?;
        match &self.beside {
            Some(files) => {
                for (file, id) in files {
                    if FileId::at(file).map_err(unseen)? != Some(*id) {
                        return Err(Displacement::Parted(file.clone()));
                    }
                }
            }
            None => self.beside = Some([opened(path, "-wal")?, opened(path, "-shm")?]),
        }
        self.last = Some(Instant::now());
        Ok(())
    }

    /// Removes the files that were beside the journal, if they are still there.
    pub(crate) fn remove_beside(&self) -> io::Result<()> {
        for (file, id) in self.beside.iter().flatten() {
            if FileId::at(file)? == Some(*id) {
                std::fs::remove_file(file)?;
            }
        }
        Ok(())
    }

    fn check_content(&mut self, file: &File, metadata: &Metadata) -> Result<(), Displacement> {
        let stamp = stamp(metadata);
        if self.stamp == Some(stamp) {
            return Ok(());
        }
        let header = Header::read(file).map_err(unseen)?;
        let is_shorter = self.stamp.is_some_and(|(length, _)| stamp.0 < length);
        if is_shorter || !Header::may_follow(self.header, header) {
            return Err(Displacement::Overwritten);
        }
        (self.stamp, self.header) = (Some(stamp), header);
        Ok(())
    }
}

/// Looks whether the journal's path leads to the file that was opened.
pub(crate) fn in_place(anchor: &Anchor) -> Result<Metadata, Displacement> {
    match look(anchor.path()).map_err(unseen)? {
        Some(metadata) if FileId::of(&metadata) == anchor.id() => Ok(metadata),
        other => Err(Displacement::Elsewhere {
            is_replaced: other.is_some(),
            now: now(anchor.file()),
        }),
    }
}

fn unseen(error: io::Error) -> Displacement {
    Displacement::Unseen(error.to_string())
}

fn stamp(metadata: &Metadata) -> Stamp {
    let times = [
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    ];
    (metadata.len(), times)
}

/// The file beside the journal that SQLite has open in this process.
fn opened(path: &Path, suffix: &str) -> Result<(PathBuf, FileId), Displacement> {
    let file = beside(path, suffix);
    match FileId::at(&file).map_err(unseen)? {
        Some(id) if has_open(id) => Ok((file, id)),
        _ => Err(Displacement::Parted(file)),
    }
}

/// Where a file is that is no longer where it was; none if it has no name any more.
fn now(file: &File) -> Option<PathBuf> {
    let metadata = file.metadata().ok()?;
    if metadata.nlink() == 0 {
        return None;
    }
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()
}

/// What SQLite's header says of a file's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    /// Goes up with changes of the first page.
    changes: u32,
    /// Goes up with changes of the tables.
    schema: u32,
}

impl Header {
    const LENGTH: usize = 100;

    /// The header of a file; `None` while the log has all of it.
    fn read(file: &File) -> io::Result<Option<Self>> {
        let mut bytes = [0; Self::LENGTH];
        match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let number = |at: usize| {
            bytes[at..at + 4]
                .iter()
                .fold(0, |number: u32, byte| number << 8 | u32::from(*byte))
        };
        Ok(Some(Self {
            changes: number(24),
            schema: number(40),
        }))
    }

    /// Whether the file that had the one may have come to have the other by SQLite's doing.
    const fn may_follow(before: Option<Self>, after: Option<Self>) -> bool {
        match (before, after) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(before), Some(after)) => after.changes >= before.changes && after.schema >= before.schema,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_goes_forward_only() {
        let header = |changes, schema| Some(Header { changes, schema });
        assert!(Header::may_follow(None, None));
        assert!(Header::may_follow(None, header(1, 1)));
        assert!(Header::may_follow(header(1, 1), header(1, 1)));
        assert!(Header::may_follow(header(1, 1), header(2, 1)));
        assert!(!Header::may_follow(header(2, 1), header(1, 1)));
        assert!(!Header::may_follow(header(2, 2), header(3, 1)));
        assert!(!Header::may_follow(header(1, 1), None));
    }
}
