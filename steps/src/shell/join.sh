# Makes a machine a slave of a cluster, on its first boot, by the cluster's user data: its disks, folders and swap, the configuration
# that came with it, its units; then the boot script finds the cluster, and the daemons start. Can be repeated.
# var folders: of Hadoop and Mesos
# var swap_mb: swap, MiB; 0 for none
# var units: what it runs, with the files of its units: `FOLDER UNIT`, a line each
# var command: the boot script, as a command
# var script: the boot script
# var source: of the shared volume
# var options: of its mount
# var disk_options: of the disks' mounts
# var user: who logs in to the cluster's nodes; none where nobody is to
# var key: the public key that it does so with: the cluster's own
# var names_unit: what puts the cluster's names into /etc/hosts at each boot
# after is-mounted, on-disk, aside
say() { echo "mesosflow: $1" >&2; }

# Whoever drives the cluster may log in, as to the machines that were launched for it.
admit() {
  if ! id -u "$user" > /dev/null 2>&1; then
    useradd --create-home --shell /bin/bash "$user"
    printf '%s ALL=(ALL) NOPASSWD:ALL\n' "$user" > "/etc/sudoers.d/90-$user"
    chmod 440 "/etc/sudoers.d/90-$user"
  fi
  home=$(getent passwd "$user" | cut -d : -f 6)
  group=$(id -g "$user")
  install -d -m 700 -o "$user" -g "$group" "$home/.ssh"
  [ -e "$home/.ssh/authorized_keys" ] || install -m 600 -o "$user" -g "$group" /dev/null "$home/.ssh/authorized_keys"
  grep --quiet --line-regexp --fixed-strings -- "$key" "$home/.ssh/authorized_keys" ||
    printf '%s\n' "$key" >> "$home/.ssh/authorized_keys"
}
[ -z "$key" ] || admit

# The instance stores, in the order of their serial numbers: the first on /mnt, the next on /mnt2.
lsblk --nodeps --noheadings --paths --output NAME,SERIAL,MODEL |
  awk '/Amazon EC2 NVMe Instance Storage/ { print $2, $1 }' | LC_ALL=C sort | cut -d ' ' -f 2 > /run/mesosflow-disks
number=0
while read -r device; do
  number=$((number + 1))
  mount=/mnt
  [ "$number" = 1 ] || mount=/mnt$number
  disk_make "$device" "$mount" ext4 "$disk_options"
done < /run/mesosflow-disks
rm -f /run/mesosflow-disks

# shellcheck disable=SC2086
on_disk $folders
# shellcheck disable=SC2086
mkdir -p -- $folders
ln -sfn /mnt/nfs /nfs
[ "$swap_mb" = 0 ] || swapon --show=NAME --noheadings | grep --quiet --line-regexp /mnt/swap || swap_make "$swap_mb"

printf '%s\n' "$units" | while read -r folder unit; do lay_file "$folder/$unit" "/etc/systemd/system/$unit"; done
[ "$(readlink "$command" 2>/dev/null)" = "$script" ] || ln -sfT "$script" "$command"

# The shared volume, by the kernel's NFS client; the unit mounts it as often as that takes.
shared=no
mkdir -p /mnt/nfs
if grep --quiet --word-regexp nfs4 /proc/filesystems || modprobe --quiet nfsv4 2>/dev/null; then
  shared=yes
  { mounts_without /mnt/nfs ':/mnt/nfs /mnt/nfs nfs4 '; echo "$source /mnt/nfs nfs4 $options 0 0"; } > /etc/fstab.mesosflow
  mv /etc/fstab.mesosflow /etc/fstab
  install -D -m 644 /root/mesos-ec2/nfs/mnt-nfs.mount.conf /etc/systemd/system/mnt-nfs.mount.d/mesosflow.conf
else
  say "this kernel has no NFS client: /mnt/nfs is not mounted"
fi
systemctl daemon-reload
systemctl enable --quiet --now "$names_unit"
systemctl enable --quiet --now mesosflow-role.service mesosflow-role-again.timer
[ "$shared" = no ] || [ ! -c /dev/autofs ] || systemctl start mnt-nfs.automount || true
printf '%s\n' "$units" | while read -r folder unit; do
  case $unit in
    mesosflow-role* | "$names_unit") continue ;;
    mesosflow-shared-volume.service) [ "$shared" = yes ] || continue ;;
  esac
  systemctl enable --quiet "$unit"
  systemctl --no-block restart "$unit"
done
say "this machine has what a slave of the cluster needs; journalctl -u mesosflow-role says what it found"
