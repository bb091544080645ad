# All that nfs-mount.sh leaves, its last act too: what was cut off between two acts is not there. The token is looked for first,
# since the automount mounts for whoever looks. Needs `is_loaded`.
# var source: what is mounted
# var type: of the file system
# var options: of the mount
# var unit: what mounts it after each boot
# var file: the token's name
# var token: what it holds
# after nfs-mount-common
[ "$(timeout 10 cat "/mnt/nfs/$file" 2>/dev/null)" = "$token" ] || exit 1
[ "$(findmnt --noheadings --output FSTYPE --mountpoint /mnt/nfs | tail -n 1)" = "$type" ] || exit 1
grep --quiet --fixed-strings --line-regexp "$source /mnt/nfs $type $options 0 0" /etc/fstab || exit 1
cmp --silent "/root/mesos-ec2/units/$unit" "/etc/systemd/system/$unit" || exit 1
cmp --silent /root/mesos-ec2/nfs/mnt-nfs.mount.conf "$drop_in" || exit 1
[ ! -c /dev/autofs ] || systemctl is-active --quiet mnt-nfs.automount || exit 1
systemctl is-enabled --quiet "$unit" || exit 1
systemctl is-active --quiet "$unit" || exit 1
is_loaded "$unit" || exit 1
