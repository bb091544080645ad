//! Folders that belong on a disk of their own, and the disk that is not there.
//!
//! A node boots without its disks (`nofail`). What is written beneath a mount point then fills the root disk, and is hidden
//! by the mount as soon as the disk is back. So the units of the deployed tree require their mounts (`RequiresMountsFor`),
//! and the scripts below ask before they make anything.

/// `unmounted PATH` prints the mount points of `/etc/fstab` that `PATH` is on, as far as nothing is mounted there; `on_disk
/// PATH…` refuses (exit status 4) where there are any. `missing_for UNIT` prints those that keep a unit from starting.
pub const ON_DISK: &str = r#"unmounted() {
  [ -e /etc/fstab ] || return 0
  while IFS=' 	' read -r source mount rest || [ -n "$source" ]; do
    case $source in '' | '#'*) continue ;; esac
    case $mount in /?*) ;; *) continue ;; esac
    case $1/ in "$mount"/*) mountpoint --quiet -- "$mount" || echo "$mount" ;; esac
  done < /etc/fstab
}
on_disk() {
  for path in "$@"; do
    missing=$(unmounted "$path")
    [ -z "$missing" ] || { echo "$missing is not mounted: $path would be on another disk" >&2; exit 4; }
  done
}
missing_for() {
  for path in $(systemctl show --property RequiresMountsFor --value -- "$1"); do unmounted "$path"; done | sort -u
}
"#;

/// `down` prints a line for each daemon of this node that starts by itself and does not run: which, and for want of which
/// disks. Uses [`ON_DISK`].
pub const DOWN: &str = r#"down() {
  for file in /root/mesos-ec2/units/*.service; do
    unit=${file##*/}
    [ -e "/etc/systemd/system/multi-user.target.wants/$unit" ] || continue
    state=$(systemctl is-active "$unit") && continue
    disks=$(missing_for "$unit" | tr '\n' ' ')
    echo "$unit is $state${disks:+: not mounted: ${disks% }}"
  done
}
"#;
