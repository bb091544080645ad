# The folders of Hadoop and Mesos, and the link /nfs. /vol must be the volume before anything is put there: a folder on the root
# disk in its place would be lost.
# var folders: the folders
# var device: the volume, or empty
# var mount: where the volume belongs
# after is-mounted, on-disk, aside
[ -z "$device" ] || is_mounted || { echo "$device is not mounted on $mount" >&2; exit 4; }
# shellcheck disable=SC2086
on_disk $folders
# shellcheck disable=SC2086
mkdir -p -- $folders
[ ! -e /nfs ] || [ -L /nfs ] || { echo "/nfs is there, and is no link" >&2; exit 4; }
[ "$(readlink /nfs)" = /mnt/nfs ] || make_way /nfs
ln -sfn /mnt/nfs /nfs
