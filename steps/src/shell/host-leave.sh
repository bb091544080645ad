# Takes what is the cluster's off a host. The daemons end first and the key goes last: whoever repeats this can still log in. A
# file with the user's keys is replaced as a whole, with its owner and mode. A host that has another owner by now keeps its mark
# and its daemons. Needs `is_our_unit`.
# var mark: the file that says whose the host is
# var user: the login
# var line: of the cluster's key; empty if it is lost
# var owner: cluster and run
# var units: the daemons', those of the boot script before them
# var role: the boot script
# var files: what says which cluster the host is of, and who else is
# var keys: folders of keys
# var firewall: the name of its unit
# var addition: to nftables' own unit
# var rules: the file of the table
# var kept_ports: what keeps the daemons' ports for them
# after aside
rm -rf -- /run/mesosflow-netrc
if [ -e "$mark" ] && [ "$(sed '/^#/d' "$mark")" = "$owner" ]; then
  for unit in $units; do
    if [ -e "/etc/systemd/system/$unit" ] && is_our_unit "$unit"; then
      systemctl disable --quiet --now "$unit"
      # An agent leaves its executors alone when it is stopped: here they end with it.
      systemctl kill --kill-who=all --signal=SIGKILL "$unit" 2>/dev/null || true
      [ "$unit" != mesos-slave.service ] || systemctl stop mesos_executors.slice 2>/dev/null || true
    fi
  done
  if grep --quiet --extended-regexp '^[^#[:space:]]+:/mnt/nfs /mnt/nfs (nfs4|fuse\.sshfs) ' /etc/fstab 2>/dev/null && findmnt --noheadings --types nfs4,fuse.sshfs,autofs --mountpoint /mnt/nfs >/dev/null; then
    systemctl stop mnt-nfs.automount 2>/dev/null || true
    while findmnt --noheadings --mountpoint /mnt/nfs >/dev/null; do umount --lazy /mnt/nfs; done
  fi
  [ ! -x "$role" ] || "$role" --leave
  # shellcheck disable=SC2086
  rm -f -- $files
  rm -f /etc/systemd/system/mnt-nfs.mount.d/mesosflow.conf /etc/systemd/system/nfs-server.service.d/mesosflow.conf
  if [ -e /etc/exports.d/mesosflow.exports ]; then
    rm -f /etc/exports.d/mesosflow.exports /etc/nfs.conf.d/mesosflow.conf
    if command -v exportfs >/dev/null; then exportfs -ra || true; fi
  fi
  # What is mounted there would come back with the next boot, and its server is gone.
  if grep --quiet --extended-regexp '^[^#[:space:]]+:/mnt/nfs /mnt/nfs (nfs4|fuse\.sshfs) ' /etc/fstab 2>/dev/null; then
    cp --archive /etc/fstab /etc/fstab.mesosflow
    awk '!($1 ~ /^[^#].*:\/mnt\/nfs$/ && $2 == "/mnt/nfs" && ($3 == "nfs4" || $3 == "fuse.sshfs"))' /etc/fstab > /etc/fstab.mesosflow
    mv /etc/fstab.mesosflow /etc/fstab
    systemctl daemon-reload
  fi
  if [ -e "$kept_ports" ]; then
    sed -n 's/^# was //p' "$kept_ports" > /proc/sys/net/ipv4/ip_local_reserved_ports || true
    rm -f -- "$kept_ports"
  fi
  # shellcheck disable=SC2086
  rm -rf -- $keys
  if [ -e "/etc/systemd/system/$firewall" ]; then systemctl disable --quiet --now "$firewall"; fi
  if [ -e "$addition" ] || [ -e "/etc/systemd/system/$firewall" ]; then
    rm -f "/etc/systemd/system/$firewall" "$addition"
    rmdir "$(dirname "$addition")" 2>/dev/null || true
    systemctl daemon-reload
  fi
  if command -v nft >/dev/null && nft list table inet mesosflow >/dev/null 2>&1; then nft delete table inet mesosflow; fi
  rm -f "$rules" "$mark"
fi
home=$(getent passwd "$user" | cut -d : -f 6)
file=$(readlink -f "$home/.ssh/authorized_keys") || exit 0
nodes=" mesosflow-(nodes|volume) $owner\$"
if grep --quiet --extended-regexp "$nodes" "$file" 2>/dev/null; then
  cp --archive -- "$file" "$file.mesosflow"
  grep --invert-match --extended-regexp "$nodes" "$file" > "$file.mesosflow" || [ $? = 1 ]
  mv -- "$file.mesosflow" "$file"
fi
# Of a lost key, only the comment is known.
[ -n "$line" ] || line=$(grep "^ssh-ed25519 .* mesosflow $owner\$" "$file" 2>/dev/null) || exit 0
if grep --quiet --line-regexp --fixed-strings -e "$line" "$file" 2>/dev/null; then
  cp --archive -- "$file" "$file.mesosflow"
  grep --invert-match --line-regexp --fixed-strings -e "$line" "$file" > "$file.mesosflow" || [ $? = 1 ]
  mv -- "$file.mesosflow" "$file"
fi
