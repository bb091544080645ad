# Functions of the scripts that make a node fit to be an image.
# needs ephemeral: options of ephemeral disks in fstab
# needs volume: those of the volume
# needs driver: the driver's key

# `ours_in_fstab` prints SOURCE MOUNT TYPE of each line that mesosflow wrote into fstab, the last first; `others_in_fstab` the file
# without them. A user's own line for /mnt has other options, and stays.
is_ours='$1 !~ /^#/ && (($2 ~ /^\/mnt[0-9]*$/ && $3 == "ext4" && $4 == ephemeral) || ($2 == "/vol" && $3 == "xfs" && $4 == volume) ||
  ($2 == "/mnt/nfs" && ($3 == "nfs4" || $3 == "fuse.sshfs")) || $1 == "/mnt/swap")'
ours_in_fstab() {
  [ -e /etc/fstab ] || return 0
  awk -v ephemeral="$ephemeral" -v volume="$volume" "$is_ours { print \$1, \$2, \$3 }" /etc/fstab | tac
}
others_in_fstab() {
  awk -v ephemeral="$ephemeral" -v volume="$volume" "!($is_ours)" /etc/fstab
}
# Whether what lies there becomes a part of an image of the root disk.
on_root_disk() {
  ! mountpoint --quiet -- "$1" && [ "$(findmnt --noheadings --output TARGET --target "${1%/*}" | tail -n 1)" = / ]
}
homes() {
  getent passwd | awk -F : '$6 ~ /^\/./ { print $6 }' | sort --unique
}
# `strip FILE STAYS` takes the lines of clusters out of an authorized_keys file, of whatever cluster; those with the driver's own key
# only where STAYS is `no`. The file is replaced as a whole, with its owner and mode.
strip() {
  [ -f "$1" ] || return 0
  file=$(readlink -f "$1")
  cp --archive -- "$file" "$file.mesosflow"
  awk -v driver="$driver" -v stays="$2" '
    { own = 0; for (i = 1; i <= NF; i++) if ($i == driver) own = 1 }
    own && stays == "no" { next }
    !own && / mesosflow(-nodes|-volume)? [^ ]+ [0-9a-z]+$/ { next }
    { print }' "$file" > "$file.mesosflow"
  if [ -s "$file.mesosflow" ]; then mv -- "$file.mesosflow" "$file"; else rm -f -- "$file" "$file.mesosflow"; fi
}
