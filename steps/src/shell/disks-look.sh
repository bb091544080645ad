# Prints `DEVICE MOUNT-POINT` for each disk that has a line in /etc/fstab, then all disks as JSON.
#
# The UUIDs are read from the disks: lsblk takes them from udev, which may not have seen the last `mkfs` yet. util-linux before
# 2.37 knows no MOUNTPOINTS, and before 2.33 no PATH.
lsblk --nodeps --noheadings --paths --output NAME | while read -r device; do
  uuid=$(blkid --probe --match-tag UUID --output value -- "$device" 2>/dev/null) || continue
  awk -v id="UUID=$uuid" -v device="$device" '$1 == id { print device, $2 }' /etc/fstab 2>/dev/null || true
done
columns=NAME,TYPE,MODEL,SERIAL,SIZE,FSTYPE
lsblk --json --bytes --paths --output "$columns,MOUNTPOINTS" 2>/dev/null ||
  lsblk --json --bytes --paths --output "$columns,MOUNTPOINT"
