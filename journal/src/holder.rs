//! Who holds a lock, in words: which process, and how to end it where it will not end by itself.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use mesosflow_workflow::STOPPED;

use crate::inode::FileId;

/// How long a lock may outlive its process: a child of it that was between its fork and its exec keeps it that long, which
/// takes a busy machine tens of milliseconds.
const OUTLIVED: Duration = Duration::from_secs(1);
/// How often the lock of a process that is gone is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The process that holds a lock on the journal `file`, as `ask` finds it, once that is settled: where the process is not
/// to be seen on this machine, the lock may be about to go as well, and is asked for again before anybody is refused.
///
/// Blocks for [`OUTLIVED`] at most.
pub(crate) fn settled(
    file: FileId,
    mut ask: impl FnMut() -> io::Result<Option<u32>>,
) -> io::Result<Option<u32>> {
    let began = Instant::now();
    loop {
        match ask()? {
            Some(pid) if !is_here(pid, file) && began.elapsed() < OUTLIVED => thread::sleep(LOOK_AGAIN),
            holder => return Ok(holder),
        }
    }
}

/// Whether process `pid` lives on this machine and may have `file` open.
fn is_here(pid: u32, file: FileId) -> bool {
    !matches!(state_here(pid, file), None | Some('Z' | 'X'))
}

/// The state of process `pid` as the kernel has it; none where it is not on this machine, or the number means another process here, which
/// must not be taken for this one, least of all by someone who ends it.
fn state_here(pid: u32, file: FileId) -> Option<char> {
    let process = Path::new("/proc").join(pid.to_string());
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    state(&stat).filter(|_| has_open(&process, file) != Some(false))
}

/// What is known of process `pid`, which holds a lock on the journal `file`.
pub(crate) fn describe(pid: u32, file: FileId) -> String {
    match state_here(pid, file) {
        None => format!("pid {pid} in a container or on another machine"),
        // It cannot end by itself, and gives nothing up.
        Some('T' | 't') => format!(
            "pid {pid} on {}, {STOPPED} `kill -CONT {pid}` lets it go on, `kill -9 {pid}` ends it",
            host()
        ),
        Some(_) => format!("pid {pid} on {}", host()),
    }
}

/// Whether a process has `file` open; `None` where this user may not know.
fn has_open(process: &Path, file: FileId) -> Option<bool> {
    let descriptors = fs::read_dir(process.join("fd")).ok()?;
    Some(
        descriptors
            .filter_map(|descriptor| fs::metadata(descriptor.ok()?.path()).ok())
            .any(|open| FileId::of(&open) == file),
    )
}

/// The state of a process as the kernel's `stat` has it, behind its name, which may have brackets and spaces of its own.
fn state(stat: &str) -> Option<char> {
    let (_, behind) = stat.rsplit_once(") ")?;
    behind.chars().next()
}

fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| fs::read_to_string("/etc/hostname"))
        .map(|name| name.trim().to_owned())
        .unwrap_or_else(|_| "this machine".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_the_file_is_named_and_no_other_is_taken_for_it() {
        let file = tempfile::tempfile().unwrap();
        let id = FileId::of(&file.metadata().unwrap());
        let own = std::process::id();
        assert_eq!(describe(own, id), format!("pid {own} on {}", host()));
        drop(file);
        let elsewhere = "in a container or on another machine";
        assert_eq!(describe(own, id), format!("pid {own} {elsewhere}"));
        assert_eq!(describe(u32::MAX, id), format!("pid {} {elsewhere}", u32::MAX));
    }

    #[test]
    fn the_lock_of_a_process_that_is_gone_is_looked_at_again_and_that_of_a_living_one_is_not() {
        let file = tempfile::tempfile().unwrap();
        let id = FileId::of(&file.metadata().unwrap());
        let mut asked = 0;
        let mut ask = |pid: u32, until: u32| {
            asked = 0;
            let holder = settled(id, || {
                asked += 1;
                Ok((asked < until).then_some(pid))
            });
            (holder.unwrap(), asked)
        };
        // A child of it had the lock until its exec.
        assert_eq!(ask(u32::MAX, 3), (None, 3));
        let own = std::process::id();
        assert_eq!(ask(own, 3), (Some(own), 1));
        // In a container it may live for ever.
        assert_eq!(ask(u32::MAX, u32::MAX).0, Some(u32::MAX));
    }

    #[test]
    fn a_process_that_nobody_has_waited_for_is_gone() {
        let file = tempfile::tempfile().unwrap();
        let id = FileId::of(&file.metadata().unwrap());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let ended = std::path::PathBuf::from(format!("/proc/{}/stat", child.id()));
        while state(&fs::read_to_string(&ended).unwrap()) != Some('Z') {
            thread::yield_now();
        }
        assert!(!is_here(child.id(), id));
        child.wait().unwrap();
        assert!(!is_here(child.id(), id));
    }

    #[test]
    fn the_name_of_a_process_does_not_confuse_its_state() {
        assert_eq!(state("12 (a) T (b) S 1 12"), Some('S'));
        assert_eq!(state("12 (mesosflow) T 1 12"), Some('T'));
        assert_eq!(state("12"), None);
    }
}
