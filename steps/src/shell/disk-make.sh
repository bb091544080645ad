# Mounts a disk, now and at each boot. Formats only what is blank: no file system, no partition table, no other signature, as far
# as libblkid knows any.
# var device: the block device
# var mount: where it belongs
# var type: of the file system
# var options: of the mount
# var quiet: the option that keeps mkfs quiet
# after is-mounted, aside
[ -b "$device" ] || { echo "there is no block device $device" >&2; exit 3; }
found=$(blkid --probe --match-tag TYPE --output value -- "$device") || found=
if [ -z "$found" ]; then
  signatures=$(wipefs --noheadings -- "$device")
  [ -z "$signatures" ] || { echo "$device is neither blank nor a file system: $signatures" >&2; exit 4; }
  # shellcheck disable=SC2086 # may be none
  "mkfs.$type" $quiet -- "$device" >&2
  found=$type
fi
# Old instance stores come with ext3, which ext4's driver mounts as it is.
[ "$found" = "$type" ] || [ "$found $type" = "ext3 ext4" ] || { echo "$device holds $found, where $type was expected" >&2; exit 4; }
uuid=$(blkid --probe --match-tag UUID --output value -- "$device")
mkdir -p -- "$mount"
[ -e /etc/fstab ] || : > /etc/fstab
{ mounts_without "$mount" " $mount $type $options 0 0\$"; echo "UUID=$uuid $mount $type $options 0 0"; } > /etc/fstab.mesosflow
mv /etc/fstab.mesosflow /etc/fstab
# systemd unmounts at once what its units still tie to a disk that is gone.
[ ! -d /run/systemd/system ] || systemctl daemon-reload
is_mounted || mount -t "$type" -o "$options" -- "$device" "$mount"
