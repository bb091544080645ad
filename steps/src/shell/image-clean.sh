# Everything of the cluster goes that this session does not stand on. The second of three scripts that make a node fit to be an
# image; can be repeated. Prints what still names the cluster afterwards, a path a line.
# The patterns are meant to become paths. Nothing of another file system goes, whatever is mounted there.
# var removed: paths and patterns: what goes
# var data: what goes where it is on the root disk
# var emptied: folders that stay
# var names: of the nodes, and their addresses
# var marks: what else gives the cluster away
# var user: the login
# var driver: the driver's key
# var unit_text: of the unit that makes host keys
# var ephemeral: options of ephemeral disks in fstab
# var volume: those of the volume
# after image-functions
for path in $removed; do
  rm -rf --one-file-system -- "$path"
done
for path in $data; do
  if [ -e "$path" ] && on_root_disk "$path"; then rm -rf --one-file-system -- "$path"; fi
done
for folder in $emptied; do
  [ ! -d "$folder" ] || find "$folder" -xdev -mindepth 1 -delete
done
for folder in mnt-nfs.mount.d nfs-server.service.d nftables.service.d; do
  rmdir "/etc/systemd/system/$folder" 2>/dev/null || true
done
systemctl daemon-reload

# In a container, these are mounts of their own, to be written in place.
if grep --quiet '^# mesosflow begin' /etc/hosts; then
  rest=$(sed '/^# mesosflow begin/,/^# mesosflow end/d' /etc/hosts)
  printf '%s\n' "$rest" > /etc/hosts
fi
: > /etc/hostname
hostname localhost

homes | while read -r home; do
  for history in bash ash sh zsh python sqlite mysql; do rm -f -- "$home/.${history}_history"; done
  rm -f -- "$home/.lesshst" "$home/.viminfo" "$home/.wget-hsts"
  known=$home/.ssh/known_hosts
  if [ -f "$known" ]; then
    cp --archive -- "$known" "$known.mesosflow"
    for name in $names; do ssh-keygen -q -R "$name" -f "$known.mesosflow" >/dev/null 2>&1; done
    chown --reference="$known" -- "$known.mesosflow"
    chmod --reference="$known" -- "$known.mesosflow"
    rm -f -- "$known.mesosflow.old"
    if [ -s "$known.mesosflow" ]; then mv -- "$known.mesosflow" "$known"; else rm -f -- "$known" "$known.mesosflow"; fi
  fi
  stays=no
  [ "$home" != "$(getent passwd "$user" | cut -d : -f 6)" ] || stays=yes
  strip "$home/.ssh/authorized_keys" "$stays"
done

# Whoever boots from the image has host keys of its own.
host_keys=/etc/systemd/system/mesosflow-host-keys.service
if [ ! -e "$host_keys" ]; then
  printf '%s\n' "$unit_text" > "$host_keys.new"
  mv "$host_keys.new" "$host_keys"
fi
systemctl daemon-reload
systemctl enable --quiet mesosflow-host-keys.service

# What is left for the last script is not told.
for name in $names $marks; do printf '%s\n' "$name"; done > /run/mesosflow-image.names
{ timeout 120 grep --recursive --files-with-matches --binary-files=without-match --no-messages --word-regexp --fixed-strings \
  --file=/run/mesosflow-image.names --exclude=authorized_keys --exclude='ssh_host_*' --exclude-dir=cloud \
  /etc /root /home /var/lib /opt /usr/local /srv || true; } | while read -r path; do
  # An engine's own files are no part of an image.
  findmnt --noheadings --mountpoint "$path" >/dev/null || echo "$path"
done
rm -f /run/mesosflow-image.names
