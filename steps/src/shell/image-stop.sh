# No daemon of the cluster runs any more or starts by itself; its disks, its swap and its shared folder are let go of, and nothing
# mounts them again. The first of three scripts that make a node fit to be an image; can be repeated.
# var units: the daemons', those of the boot script before them
# var names_unit: what puts the cluster's names back at each boot
# var role: the boot script
# var firewall: the name of its unit
# var addition: the firewall's addition to nftables' own unit
# var ephemeral: options of ephemeral disks in fstab
# var volume: those of the volume
# var driver: the driver's key
# after image-functions
has() { [ -e "/etc/systemd/system/$1" ]; }
for unit in $units; do
  has "$unit" || continue
  # Some leave what they started alone when they are stopped, as an agent its executors: here it ends with them.
  mkdir -p "/run/systemd/system/$unit.d"
  printf '[Service]\nKillMode=control-group\n' > "/run/systemd/system/$unit.d/mesosflow-image.conf"
done
systemctl daemon-reload
for unit in $units; do
  if has "$unit"; then systemctl disable --quiet --now "$unit"; fi
  rm -rf -- "/run/systemd/system/$unit.d"
done
if has "$names_unit"; then systemctl disable --quiet "$names_unit"; fi
[ ! -x "$role" ] || "$role" --leave
systemctl stop mesos_executors.slice mesos-master-tidy.timer mesos-slave-tidy.timer 2>/dev/null || true

# The kernel's NFS server stays where it serves something else.
if [ -e /etc/exports.d/mesosflow.exports ]; then
  others=$(grep --no-messages --files-with-matches '^[^#]' /etc/exports /etc/exports.d/*.exports | grep --invert-match /mesosflow.exports || true)
  [ -n "$others" ] || systemctl disable --quiet --now nfs-server
  rm -f /etc/exports.d/mesosflow.exports
  [ -z "$others" ] || exportfs -ra
fi
systemctl stop mnt-nfs.automount 2>/dev/null || true
if findmnt --noheadings --types nfs4,fuse.sshfs,autofs --mountpoint /mnt/nfs >/dev/null; then
  while findmnt --noheadings --mountpoint /mnt/nfs >/dev/null; do umount --lazy /mnt/nfs; done
fi
if swapon --show=NAME --noheadings | grep --quiet --line-regexp /mnt/swap; then swapoff /mnt/swap; fi
ours_in_fstab | while read -r source mount type; do
  case $mount in /mnt/nfs | none) continue ;; esac
  if mountpoint --quiet -- "$mount"; then umount -- "$mount"; fi
done
if [ -n "$(ours_in_fstab)" ]; then
  cp --archive /etc/fstab /etc/fstab.mesosflow
  others_in_fstab > /etc/fstab.mesosflow
  mv /etc/fstab.mesosflow /etc/fstab
fi

if has "$firewall"; then systemctl disable --quiet --now "$firewall"; fi
rm -f "$addition"
if command -v nft >/dev/null && nft list table inet mesosflow >/dev/null 2>&1; then nft delete table inet mesosflow; fi
systemctl daemon-reload
