//! Who holds a lock, in words: which process, and how to end it where it will not end by itself.

use std::fs;
use std::path::Path;

use mesosflow_workflow::STOPPED;

use crate::inode::FileId;

/// What is known of process `pid`, which holds a lock on the journal `file`.
pub(crate) fn describe(pid: u32, file: FileId) -> String {
    let process = Path::new("/proc").join(pid.to_string());
    let stat = fs::read_to_string(process.join("stat"));
    match stat.ok().as_deref().and_then(state) {
        None => format!("pid {pid} in a container or on another machine"),
        // The number means another process here: it must not be taken for this one, least of all by someone who ends it.
        Some(_) if has_open(&process, file) == Some(false) => {
            format!("pid {pid} in a container or on another machine")
        }
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
    fn the_name_of_a_process_does_not_confuse_its_state() {
        assert_eq!(state("12 (a) T (b) S 1 12"), Some('S'));
        assert_eq!(state("12 (mesosflow) T 1 12"), Some('T'));
        assert_eq!(state("12"), None);
    }
}
