# Mounts /mnt/nfs, now and at each boot. By systemd, so that a mount which needs a process (sshfs) does not belong to this
# session. A kernel without automounts has the mount alone.
# var unit: what mounts it after each boot
# var source: what is mounted
# var type: of the file system
# var options: of the mount
# var not_mounted: the exit status where systemd did not mount
# after on-disk, aside, nfs-mount-common
start() {
  systemctl start "$1" && return 0
  journalctl --unit "$1" --no-pager --output cat --lines 5 >&2 || true
  exit "$not_mounted"
}
on_disk /mnt
systemctl stop "$unit" mnt-nfs.automount 2>/dev/null || true
while findmnt --noheadings --mountpoint /mnt/nfs >/dev/null; do umount --lazy /mnt/nfs; done
mkdir -p /mnt/nfs
lay_file "/root/mesos-ec2/units/$unit" "/etc/systemd/system/$unit"
install -D -m 644 /root/mesos-ec2/nfs/mnt-nfs.mount.conf "$drop_in"
[ -e /etc/fstab ] || : > /etc/fstab
{ mounts_without /mnt/nfs ':/mnt/nfs /mnt/nfs (nfs4|fuse[.]sshfs) '; echo "$source /mnt/nfs $type $options 0 0"; } > /etc/fstab.mesosflow
mv /etc/fstab.mesosflow /etc/fstab
systemctl daemon-reload
systemctl reset-failed mnt-nfs.mount mnt-nfs.automount 2>/dev/null || true
systemctl enable --quiet "$unit"
[ ! -c /dev/autofs ] || start mnt-nfs.automount
start mnt-nfs.mount
start "$unit"
