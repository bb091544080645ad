# Unmounts /mnt/nfs until somebody mounts it: not with the next boot either. A server that is gone keeps a clean unmount waiting for
# ever: whatever is not free after a while is let go of.
# var unit: what mounts it after each boot
[ ! -e "/etc/systemd/system/$unit" ] || systemctl disable --quiet --now "$unit"
systemctl stop mnt-nfs.automount 2>/dev/null || true
timeout 20 umount /mnt/nfs 2>/dev/null || true
while findmnt --noheadings --mountpoint /mnt/nfs >/dev/null; do umount --lazy /mnt/nfs; done
