//! Which disks a node has beside its root disk, and which device each of them is there.
//!
//! A [`DiskPlan`] either names devices by path, or says what they are: so many instance stores, and an EBS volume by its
//! id. What they are called is then found on the node, since NVMe devices are numbered in the order in which they
//! answered, at each boot anew. [`DisksToFind::find_in`] is a pure function of what [`LOOK`] printed.
//!
//! A disk keeps its mount point. What is mounted at one of ours, or has a line with its UUID in `/etc/fstab`, is at home
//! there; what is left goes in the order of the serial numbers, which a reboot does not change. After a stop and a start
//! the instance stores are other, blank disks; with no home and new numbers they are placed like on the first day.

use mesosflow_workflow::{ErrorClass, StepError};
use serde::{Deserialize, Serialize};

use crate::act::ActError;
use crate::cluster::{DisksSpec, Node};
use crate::provider::ec2_facts::ephemeral_names;
use crate::templates::mount_points;

/// Where the volume is mounted.
pub(crate) const VOLUME_MOUNT: &str = "/vol";

/// Prints `DEVICE MOUNT-POINT` for each disk that has a line in `/etc/fstab`, then all disks as JSON.
pub(crate) const LOOK: &str = shell!("disks-look.sh");

/// How Nitro presents an instance store and an EBS volume; some versions of udev replace the spaces by `_`.
const STORE_MODEL: &str = "Amazon EC2 NVMe Instance Storage";
const VOLUME_MODEL: &str = "Amazon Elastic Block Store";

/// The disks of a node beside its root disk.
///
/// Serialised, devices that are named look like the [`DisksSpec`] itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DiskPlan {
    /// The `[disks]` table: devices by path.
    Named(DisksSpec),
    /// What they are; their paths are found on the node.
    Find(DisksToFind),
}

impl Default for DiskPlan {
    fn default() -> Self {
        Self::Named(DisksSpec::default())
    }
}

impl From<DisksSpec> for DiskPlan {
    fn from(named: DisksSpec) -> Self {
        Self::Named(named)
    }
}

impl DiskPlan {
    /// How many ephemeral disks there are.
    pub const fn ephemeral(&self) -> usize {
        match self {
            Self::Named(named) => named.ephemeral.len(),
            Self::Find(wanted) => wanted.ephemeral,
        }
    }
}

/// The disks of an EC2 instance, by what they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisksToFind {
    /// Instance stores to use, as many as the instance type has; with 0 none is touched.
    pub ephemeral: usize,
    /// Whether they are NVMe devices, and say so; otherwise they are mapped to the [`ephemeral_names`].
    pub nvme: bool,
    /// The EBS volume of the persistent HDFS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<EbsVolume>,
}

/// An EBS volume that is attached, or being attached, to a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EbsVolume {
    /// Its id, such as `vol-0a1b2c3d4e5f60718`: without the dash, the serial number of an NVMe device.
    pub id: String,
    /// The name it is mapped to, such as `/dev/sdv`; Xen's kernel driver may call it `/dev/xvdv`.
    pub device: String,
}

/// The disks of a node are not as they should be, or cannot be told apart.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// `lsblk` printed something else.
    #[error("what lsblk printed cannot be read: {reason}")]
    Unreadable {
        /// What the parser said.
        reason: String,
    },
    /// There are fewer instance stores than there should be.
    #[error("the instance type has {}, the node shows {}", counted(*expected), listed(found))]
    StoresMissing {
        /// How many there should be.
        expected: usize,
        /// The devices that were found.
        found: Vec<String>,
    },
    /// No device is the volume, as long as it is being attached.
    #[error("volume {id} is not attached as {device}; the node shows {}", listed(seen))]
    VolumeMissing {
        /// Its id.
        id: String,
        /// The name it is mapped to.
        device: String,
        /// Every disk of the node, with model and serial number.
        seen: Vec<String>,
    },
    /// Several devices could be meant.
    #[error("{wanted} could be {}", candidates.join(" or "))]
    Ambiguous {
        /// The volume's id, or the name of an instance store.
        wanted: String,
        /// The devices.
        candidates: Vec<String>,
    },
    /// What should be the volume is the disk that the node runs from.
    #[error("{wanted} is {device}, which the node runs from")]
    System {
        /// The volume's id, or the name of an instance store.
        wanted: String,
        /// The device.
        device: String,
    },
    /// One device would be two disks: both are mapped to its name.
    #[error("{device} would be an instance store and volume {id} as well")]
    Shared {
        /// The device.
        device: String,
        /// The volume's id.
        id: String,
    },
    /// A disk of ours is used for something else.
    #[error("{device} is in use: mounted on {mount}")]
    InUse {
        /// The device.
        device: String,
        /// Where it, or a part of it, is mounted.
        mount: String,
    },
}

fn counted(stores: usize) -> String {
    format!("{stores} instance store{}", if stores == 1 { "" } else { "s" })
}

fn listed(devices: &[String]) -> String {
    match devices {
        [] => "none".into(),
        devices => format!("{}: {}", devices.len(), devices.join(", ")),
    }
}

impl DiskError {
    /// Whether waiting may help: devices appear while a node boots, and a volume takes seconds to be attached.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::StoresMissing { .. } | Self::VolumeMissing { .. })
    }

    /// The same, said of a node.
    #[must_use]
    pub fn on(self, node: &Node) -> ActError {
        ActError::Unmet {
            what: format!("{}: {self}", node.name),
            class: self.class(),
            hint: self.hint(),
        }
    }
}

impl StepError for DiskError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::VolumeMissing { .. } => ErrorClass::Transient,
            Self::InUse { .. } | Self::Ambiguous { .. } => ErrorClass::Operator,
            Self::Unreadable { .. }
            | Self::StoresMissing { .. }
            | Self::System { .. }
            | Self::Shared { .. } => ErrorClass::Permanent,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::StoresMissing { .. } => "an instance whose disks do not all show is best replaced",
            Self::VolumeMissing { .. } => "see whether EC2 shows the volume as attached to this instance",
            Self::Ambiguous { .. } => "detach the disk that is not meant, then resume",
            Self::InUse { .. } => "unmount it, if it is not needed there, then resume",
            Self::Unreadable { .. } | Self::System { .. } | Self::Shared { .. } => return None,
        };
        Some(hint.into())
    }
}

impl DisksToFind {
    /// The devices, found in what [`LOOK`] printed: ephemeral ones in the order of their mount points.
    ///
    /// # Errors
    /// A disk is missing, is used otherwise, or could be several; or the text is none of `lsblk`'s.
    pub fn find_in(&self, seen: &str) -> Result<DisksSpec, DiskError> {
        let disks = read(seen)?;
        let mounts = if self.ephemeral == 0 {
            Vec::new()
        } else {
            mount_points(self.ephemeral)
        };
        let stores = if self.nvme {
            nvme_stores(&disks)
        } else {
            self.mapped_stores(&disks)?
        };
        if stores.len() < self.ephemeral {
            return Err(DiskError::StoresMissing {
                expected: self.ephemeral,
                found: stores.iter().map(|disk| disk.name.clone()).collect(),
            });
        }
        let placed = placed(stores, &mounts);
        for disk in &placed {
            disk.check_free(&mounts)?;
        }
        let volume = self
            .volume
            .as_ref()
            .map(|volume| volume.find_in(&disks, &placed))
            .transpose()?;
        Ok(DisksSpec {
            ephemeral: placed.iter().map(|disk| disk.name.clone()).collect(),
            volume: volume.map(|disk| disk.name.clone()),
        })
    }

    /// The instance stores behind mapped names, those that are there.
    fn mapped_stores<'d>(&self, disks: &'d [Disk]) -> Result<Vec<&'d Disk>, DiskError> {
        let mut stores = Vec::new();
        for name in ephemeral_names().take(self.ephemeral) {
            let candidates = disks.iter().filter(|disk| disk.is_mapped_to(&name)).collect();
            stores.extend(only(&name, candidates)?);
        }
        Ok(stores)
    }
}

/// All disks that say that they are instance stores, in the order of their serial numbers.
fn nvme_stores(disks: &[Disk]) -> Vec<&Disk> {
    let mut stores: Vec<_> = disks
        .iter()
        .filter(|disk| disk.is_model(STORE_MODEL) && !disk.is_system)
        .collect();
    // EC2 numbers every one of them. Should a machine not, its names are as good as any order, and homes still hold.
    stores.sort_by_key(|disk| (disk.serial.is_empty(), &disk.serial, disk.name.len(), &disk.name));
    stores
}

/// One disk for each mount point: the one at home there, else the next of those that have no home.
fn placed<'d>(stores: Vec<&'d Disk>, mounts: &[String]) -> Vec<&'d Disk> {
    let mut left = stores;
    let at_home: Vec<_> = mounts
        .iter()
        .map(|mount| {
            let place = left.iter().position(|disk| disk.home(mounts) == Some(mount))?;
            Some(left.remove(place))
        })
        .collect();
    let mut left = left.into_iter();
    at_home
        .into_iter()
        .filter_map(|disk| disk.or_else(|| left.next()))
        .collect()
}

impl EbsVolume {
    /// The device, which must be none of the instance stores.
    fn find_in<'d>(&self, disks: &'d [Disk], stores: &[&Disk]) -> Result<&'d Disk, DiskError> {
        let serial = self.id.replace('-', "");
        let numbered: Vec<_> = disks
            .iter()
            .filter(|disk| disk.is_model(VOLUME_MODEL) && disk.serial == serial)
            .collect();
        let found = if numbered.is_empty() {
            disks
                .iter()
                .filter(|disk| disk.is_mapped_to(&self.device))
                .collect()
        } else {
            numbered
        };
        let disk = only(&self.id, found)?.ok_or_else(|| DiskError::VolumeMissing {
            id: self.id.clone(),
            device: self.device.clone(),
            seen: disks
                .iter()
                .filter(|disk| !disk.is_loop)
                .map(Disk::described)
                .collect(),
        })?;
        if stores.iter().any(|store| store.name == disk.name) {
            return Err(DiskError::Shared {
                device: disk.name.clone(),
                id: self.id.clone(),
            });
        }
        disk.check_free(&[VOLUME_MOUNT.to_owned()])?;
        Ok(disk)
    }
}

/// The one candidate, if there is any; never the disk that the node runs from.
fn only<'d>(wanted: &str, candidates: Vec<&'d Disk>) -> Result<Option<&'d Disk>, DiskError> {
    let wanted = wanted.to_owned();
    match candidates[..] {
        [] => Ok(None),
        [disk] if disk.is_system => Err(DiskError::System {
            wanted,
            device: disk.name.clone(),
        }),
        [disk] => Ok(Some(disk)),
        _ => Err(DiskError::Ambiguous {
            wanted,
            candidates: candidates.iter().map(|disk| disk.name.clone()).collect(),
        }),
    }
}

/// A whole disk of a node.
#[derive(Debug)]
struct Disk {
    name: String,
    model: String,
    serial: String,
    is_loop: bool,
    /// Something on it is mounted where the system is.
    is_system: bool,
    /// Where the disk itself is mounted.
    mounts: Vec<String>,
    /// Where partitions of it, and what is built of them, are mounted.
    inner_mounts: Vec<String>,
    /// Where `/etc/fstab` has it by its UUID.
    noted: Option<String>,
}

impl Disk {
    fn is_model(&self, model: &str) -> bool {
        self.model.eq_ignore_ascii_case(model)
    }

    /// Whether it is what a block device mapping calls so. Xen's devices have neither model nor serial number.
    fn is_mapped_to(&self, device: &str) -> bool {
        let name = self.name.replacen("/dev/xvd", "/dev/sd", 1);
        self.model.is_empty() && self.serial.is_empty() && (name == device || self.name == device)
    }

    /// Which of these mount points is its own: where it is now, else where it is to be after a boot.
    fn home<'m>(&self, mounts: &'m [String]) -> Option<&'m String> {
        let mounted = mounts.iter().find(|mount| self.mounts.contains(mount));
        mounted.or_else(|| mounts.iter().find(|mount| self.noted.as_ref() == Some(mount)))
    }

    /// Refuses a disk that is mounted anywhere else.
    fn check_free(&self, at: &[String]) -> Result<(), DiskError> {
        let elsewhere = self.mounts.iter().find(|mount| !at.contains(mount));
        match elsewhere.or_else(|| self.inner_mounts.first()) {
            None => Ok(()),
            Some(mount) => Err(DiskError::InUse {
                device: self.name.clone(),
                mount: mount.clone(),
            }),
        }
    }

    fn described(&self) -> String {
        let facts = [&*self.name, &*self.model, &*self.serial];
        let known: Vec<_> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
        known.join(" ")
    }
}

/// What `lsblk --json` prints.
#[derive(Deserialize)]
struct Listing {
    blockdevices: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    serial: Option<String>,
    #[serde(default)]
    mountpoints: Vec<Option<String>>,
    #[serde(default)]
    mountpoint: Option<String>,
    #[serde(default)]
    children: Vec<Entry>,
}

impl Entry {
    fn mounts(&self) -> impl Iterator<Item = &String> {
        self.mountpoints.iter().flatten().chain(&self.mountpoint)
    }

    fn inner_mounts(&self) -> Vec<&String> {
        self.children
            .iter()
            .flat_map(|child| child.mounts().chain(child.inner_mounts()))
            .collect()
    }
}

/// The whole disks in what [`LOOK`] printed.
fn read(seen: &str) -> Result<Vec<Disk>, DiskError> {
    let (noted, json) = seen.split_at(seen.find('{').unwrap_or(seen.len()));
    let listing: Listing = serde_json::from_str(json).map_err(|error| DiskError::Unreadable {
        reason: error.to_string(),
    })?;
    let noted: Vec<_> = noted.lines().filter_map(|line| line.split_once(' ')).collect();
    Ok(listing
        .blockdevices
        .into_iter()
        .filter(|entry| matches!(&*entry.kind, "disk" | "loop"))
        .map(|entry| {
            let inner: Vec<_> = entry.inner_mounts().into_iter().cloned().collect();
            let mounts: Vec<_> = entry.mounts().cloned().collect();
            let home = noted.iter().find(|(device, _)| *device == entry.name);
            Disk {
                model: spaced(entry.model.as_deref().unwrap_or_default()),
                serial: entry.serial.unwrap_or_default().trim().to_owned(),
                is_loop: entry.kind == "loop",
                is_system: mounts.iter().chain(&inner).any(|mount| is_system(mount)),
                mounts,
                inner_mounts: inner,
                noted: home.map(|(_, mount)| (*mount).to_owned()),
                name: entry.name,
            }
        })
        .collect())
}

/// NVMe pads its texts with spaces, and udev may have replaced them by `_`.
fn spaced(model: &str) -> String {
    let words: Vec<_> = model
        .split(|c: char| c == '_' || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

fn is_system(mount: &str) -> bool {
    mount == "/" || mount == "/boot" || mount.starts_with("/boot/")
}

#[cfg(test)]
mod tests;
