# The last of three scripts that make a node fit to be an image: what would take a machine that boots in between for another one,
# and then the door itself. It runs by itself, whatever becomes of who started it, and ends by writing `done` or `failed` to
# $folder/end, in memory: nobody can log in any more.
# var folder: where this script is, in memory
# var user: the login
# var driver: the driver's key
# var ephemeral: options of ephemeral disks in fstab
# var volume: those of the volume
# after image-functions
trap '[ -e "$folder/end" ] || echo failed > "$folder/end"' EXIT
if command -v cloud-init >/dev/null; then cloud-init clean --logs; fi
rm -rf --one-file-system -- /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/data /var/lib/cloud/sem
# Empty, not absent: systemd makes one at the first boot.
: > /etc/machine-id
rm -f /var/lib/dbus/machine-id /var/lib/systemd/random-seed
rm -rf --one-file-system -- /var/log/journal/*
find /var/log -xdev -type f \( -name '*.gz' -o -name '*.xz' -o -name '*.old' -o -name '*.[0-9]' -o -name '*-[0-9]*' \) -delete
find /var/log -xdev -type f -exec truncate --size 0 -- {} +
sync
# From here on no new session is let in: an SSH server reads its keys for each.
rm -f /etc/ssh/ssh_host_*
strip "$(getent passwd "$user" | cut -d : -f 6)/.ssh/authorized_keys" no
sync
echo "done" > "$folder/end"
