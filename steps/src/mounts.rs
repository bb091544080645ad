//! Folders that belong on a disk of their own, and the disk that is not there.
//!
//! A node boots without its disks (`nofail`). What is written beneath a mount point then fills the root disk, and is hidden
//! by the mount as soon as the disk is back. So the units of the deployed tree require their mounts (`RequiresMountsFor`),
//! and the scripts below ask before they make anything.

/// The functions `unmounted`, `on_disk` and `missing_for`.
pub(crate) const ON_DISK: &str = shell!("on-disk.sh");

/// The function `down`. Uses [`ON_DISK`].
pub(crate) const DOWN: &str = shell!("daemons-down.sh");
/// `is_mounted`: whether `$device` is mounted on `$mount`.
pub(crate) const IS_MOUNTED: &str = shell!("is-mounted.sh");
