//! Locks on ranges of a file, owned by an open file description.
//!
//! They belong to the file itself, whatever its names are, and are gone with the last descriptor of the description: a
//! killed process frees them at once. Unlike the POSIX locks that SQLite takes, they survive that the process closes
//! *another* descriptor of the file, and asking for one takes none, so that asking disturbs nobody.
//!
//! All of ours begin at 2⁶², far behind SQLite's own (at 2³⁰) and behind any byte that is ever written. The length of a
//! lock is the id of the process that took it: whoever is refused learns from the lock itself who holds it, and no file
//! that could be stale, copied or lost has to say so.

use std::fs::File;
use std::io;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc::{self, c_int, c_short, off_t};
use sha2::{Digest, Sha256};

/// Where our locks begin.
const BASE: off_t = 1 << 62;
/// How many bits of an offset count within a slot: more than a process id has on Linux (22).
const WIDTH: u32 = 23;
/// How many slots each kind has, as bits.
const SLOTS: u32 = 38;
/// The byte that is locked while a journal is set up.
const SET_UP: off_t = BASE - 1;
/// Where the slots of places begin; those of leases are before them.
const PLACES: off_t = BASE + (1 << (SLOTS + WIDTH));

/// What a lock stands for: a place of its own among the offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(off_t);

impl Slot {
    /// The lease of what `name` names.
    pub(crate) fn lease(name: &[u8]) -> Self {
        Self(BASE + (fold(name) << WIDTH))
    }

    /// A place where a file is.
    pub(crate) fn place(name: &[u8]) -> Self {
        Self(PLACES + (fold(name) << WIDTH))
    }

    /// The part of the slot that a lock of this process covers.
    fn signed(self) -> Range {
        Range {
            start: self.0,
            length: off_t::from(std::process::id()),
        }
    }
}

/// The first bits of a hash: the same in every build, since processes of two builds must agree.
fn fold(name: &[u8]) -> off_t {
    let bits = Sha256::digest(name)
        .iter()
        .take(8)
        .fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    off_t::try_from(bits >> (u64::BITS - SLOTS)).unwrap_or_default()
}

/// How a lock goes together with others on its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// With others of this kind.
    Shared,
    /// With none.
    Exclusive,
}

#[derive(Debug, Clone, Copy)]
struct Range {
    start: off_t,
    length: off_t,
}

impl Range {
    fn flock(self, kind: c_int) -> libc::flock {
        libc::flock {
            l_type: kind as c_short,
            l_whence: libc::SEEK_SET as c_short,
            l_start: self.start,
            l_len: self.length,
            l_pid: 0,
        }
    }
}

/// Takes the lock of a slot for this process; `false` where another open file has one that does not go with it.
pub(crate) fn take(file: &File, slot: Slot, kind: Kind) -> io::Result<bool> {
    let kind = match kind {
        Kind::Shared => libc::F_RDLCK,
        Kind::Exclusive => libc::F_WRLCK,
    };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&slot.signed().flock(kind))) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Gives back what [`take`] took.
pub(crate) fn free(file: &File, slot: Slot) -> io::Result<()> {
    fcntl(file, FcntlArg::F_OFD_SETLK(&slot.signed().flock(libc::F_UNLCK)))?;
    Ok(())
}

/// The process that holds a slot through another open file.
pub(crate) fn holder(file: &File, slot: Slot) -> io::Result<Option<u32>> {
    let range = Range {
        start: slot.0,
        length: 1 << WIDTH,
    };
    Ok(conflict(file, range)?.map(|(_, pid)| pid))
}

/// A process that holds the slot of any other place through another open file.
pub(crate) fn elsewhere(file: &File, place: Slot) -> io::Result<Option<u32>> {
    let behind = place.0 + (1 << (WIDTH - 1));
    let ranges = [
        Range {
            start: PLACES,
            length: place.0 - PLACES,
        },
        Range {
            start: behind,
            length: off_t::MAX - behind,
        },
    ];
    for range in ranges {
        // A length of 0 would mean "to the end".
        if range.length > 0
            && let Some((start, pid)) = conflict(file, range)?
            && start != place.0
        {
            return Ok(Some(pid));
        }
    }
    Ok(None)
}

/// Where the first lock of another open file in `range` begins, and who signed it.
fn conflict(file: &File, range: Range) -> io::Result<Option<(off_t, u32)>> {
    let mut found = range.flock(libc::F_WRLCK);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut found))?;
    if c_int::from(found.l_type) == libc::F_UNLCK {
        return Ok(None);
    }
    Ok(Some((found.l_start, u32::try_from(found.l_len).unwrap_or(0))))
}

/// Waits for the lock of those who set a journal up, and takes it.
pub(crate) fn wait_to_set_up(file: &File) -> io::Result<()> {
    loop {
        match fcntl(file, FcntlArg::F_OFD_SETLKW(&set_up().flock(libc::F_WRLCK))) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Gives back what [`wait_to_set_up`] took.
pub(crate) fn free_set_up(file: &File) -> io::Result<()> {
    fcntl(file, FcntlArg::F_OFD_SETLK(&set_up().flock(libc::F_UNLCK)))?;
    Ok(())
}

const fn set_up() -> Range {
    Range {
        start: SET_UP,
        length: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &std::path::Path) -> File {
        File::options().read(true).write(true).open(path).unwrap()
    }

    #[test]
    fn a_lock_names_its_process_and_asking_takes_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (one, two) = (open(file.path()), open(file.path()));
        let slot = Slot::lease(b"a");
        assert_eq!(holder(&two, slot).unwrap(), None);
        assert!(take(&one, slot, Kind::Exclusive).unwrap());
        assert_eq!(holder(&one, slot).unwrap(), None, "its own is no obstacle");
        assert_eq!(holder(&two, slot).unwrap(), Some(std::process::id()));
        assert!(!take(&two, slot, Kind::Exclusive).unwrap());
        assert!(take(&two, Slot::lease(b"b"), Kind::Exclusive).unwrap());
        free(&one, slot).unwrap();
        assert!(take(&two, slot, Kind::Exclusive).unwrap());
    }

    #[test]
    fn a_lock_survives_the_closing_of_other_descriptors_and_goes_with_its_own() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (one, two) = (open(file.path()), open(file.path()));
        let slot = Slot::lease(b"a");
        assert!(take(&one, slot, Kind::Exclusive).unwrap());
        drop(open(file.path()));
        assert!(holder(&two, slot).unwrap().is_some());
        drop(one);
        assert_eq!(holder(&two, slot).unwrap(), None);
    }

    #[test]
    fn another_place_is_seen_on_either_side_and_the_same_one_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (one, two) = (open(file.path()), open(file.path()));
        let mut places = [Slot::place(b"a"), Slot::place(b"b")];
        places.sort();
        for (theirs, ours) in [(places[0], places[1]), (places[1], places[0])] {
            assert!(take(&one, theirs, Kind::Shared).unwrap());
            assert!(take(&two, ours, Kind::Shared).unwrap());
            assert_eq!(elsewhere(&two, ours).unwrap(), Some(std::process::id()));
            assert_eq!(elsewhere(&two, theirs).unwrap(), None);
            free(&one, theirs).unwrap();
            assert_eq!(elsewhere(&two, ours).unwrap(), None);
            free(&two, ours).unwrap();
        }
    }

    #[test]
    fn every_slot_is_behind_sqlites_locks_and_before_the_end_of_offsets() {
        let last = (1 << SLOTS) - 1;
        const { assert!(SET_UP > 0x4000_0000 + 512) };
        assert!(BASE + (last << WIDTH) + (1 << WIDTH) <= PLACES);
        let end = (PLACES + (last << WIDTH)).checked_add((1 << WIDTH) - 1);
        assert!(end.is_some(), "the last slot ends behind the last offset");
        for name in 0u32..1000 {
            assert!(Slot::lease(&name.to_le_bytes()).0 < PLACES);
            assert!(Slot::place(&name.to_le_bytes()).0 >= PLACES);
        }
    }
}
