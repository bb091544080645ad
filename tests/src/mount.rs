//! A small disk that a test can fill.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in memory, mounted in the scenario's folder. The guard unmounts it, should the test be killed.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts a disk of `size` (as `1m`) at `folder`.
    ///
    /// # Panics
    /// It cannot be mounted: that takes root.
    pub fn mount(folder: PathBuf, size: &str) -> Self {
        fs::create_dir_all(&folder).expect("a folder to mount at");
        let options = format!("size={size},mode=0700");
        mount(&["-t", "tmpfs", "-o", &options, "mesosflow-test"], &folder);
        Self { folder }
    }

    /// Fills it to the last byte.
    ///
    /// # Panics
    /// It cannot be filled.
    pub fn fill(&self) {
        let mut file = File::create(self.folder.join("filler")).expect("a file to fill the disk with");
        for size in [65536, 4096, 512, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    /// Removes what filled it.
    ///
    /// # Panics
    /// It was never filled.
    pub fn free(&self) {
        fs::remove_file(self.folder.join("filler")).expect("the file that filled the disk");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _unmounted = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

fn mount(args: &[&str], folder: &Path) {
    let output = Command::new("mount")
        .args(args)
        .arg(folder)
        .output()
        .expect("mount starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "a small disk for this test cannot be mounted (are you root?): {said}"
    );
}
