//! Disks: files of the scenario's folder behind loop devices, which a machine sees as a Nitro machine sees its own disks and
//! its EBS volumes, the latter with the volume's id, but for its dash, as the serial number.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whatever the volume's size: the smallest that xfs is made on is 300 MB, and the file is a sparse one.
const SIZE: u64 = 400 << 20;
const VOLUME: &str = "Amazon Elastic Block Store";
const STORE: &str = "Amazon EC2 NVMe Instance Storage";

/// An attached disk. Dropped, it is detached; should the test be killed, the guard detaches it.
#[derive(Debug)]
pub(super) struct Disk {
    device: String,
    model: &'static str,
    serial: String,
}

impl Disk {
    /// Makes the disk of a volume.
    pub(super) fn volume(folder: &Path, id: &str) -> Result<Self, String> {
        Self::attach(folder, id, VOLUME, id.replace('-', ""))
    }

    /// Makes one of an instance's own disks, of that name.
    pub(super) fn store(folder: &Path, name: &str) -> Result<Self, String> {
        Self::attach(
            folder,
            name,
            STORE,
            format!("AWS{}", name.replace('-', "").to_uppercase()),
        )
    }

    fn attach(folder: &Path, name: &str, model: &'static str, serial: String) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let path = folder.join(name);
        let file = File::create(&path).and_then(|file| file.set_len(SIZE));
        file.map_err(|error| format!("{}: {error}", path.display()))?;
        let output = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(&path)
            .output();
        let output = output.map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!("losetup: {}", String::from_utf8_lossy(&output.stderr)));
        }
        Ok(Self {
            device: String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            model,
            serial,
        })
    }

    /// The device that it is on this machine, and in every container that has it.
    pub(super) fn device(&self) -> &str {
        &self.device
    }

    /// What udev would know of it. There is no udev in a container, but lsblk only reads what it has written.
    fn udev(&self) -> Result<(String, String), String> {
        let device = fs::metadata(&self.device).map_err(|error| format!("{}: {error}", self.device))?;
        let (major, minor) = (
            device.rdev() >> 8 & 0xfff,
            device.rdev() & 0xff | device.rdev() >> 12 & 0xfff00,
        );
        let (model, serial) = (self.model, &self.serial);
        let text = format!(
            "E:ID_MODEL={model}\nE:ID_SERIAL_SHORT={serial}\nE:ID_SERIAL={}_{serial}\n",
            model.replace(' ', "_")
        );
        Ok((format!("b{major}:{minor}"), text))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _detached = Command::new("losetup").args(["--detach", &self.device]).output();
    }
}

/// A folder that a machine with these disks has at `/run/udev/data`.
pub(super) fn udev_data<'d>(
    folder: &Path,
    instance: &str,
    disks: impl Iterator<Item = &'d Disk>,
) -> Result<PathBuf, String> {
    let data = folder.join(format!("udev-{instance}"));
    fs::create_dir_all(&data).map_err(|error| error.to_string())?;
    for disk in disks {
        let (name, text) = disk.udev()?;
        fs::write(data.join(name), text).map_err(|error| error.to_string())?;
    }
    Ok(data)
}
