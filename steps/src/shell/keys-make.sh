# Makes the keys that are not there, and the files beside them.
# var folder: where the key of the nodes is
# var roles: where those of the other roles are, a folder for each
# var nodes: the comment of the nodes' key
# var volume: that of the volume's
# var known: the hub's line of known_hosts, for the slaves
# after keys-common
umask 077
put() { printf '%s\n' "$2" > "$1.new"; mv -fT -- "$1.new" "$1"; }
make() {
  [ -z "$(public "$1" "$2")" ] || return 0
  rm -f -- "$1.new" "$1.new.pub"
  ssh-keygen -q -t ed25519 -N '' -C "$2" -f "$1.new"
  rm -f -- "$1.new.pub"
  mv -fT -- "$1.new" "$1"
}
mkdir -p -- "$folder" "$roles/slave" "$roles/zookeeper"
chmod 700 -- "$folder" "$roles" "$roles/slave" "$roles/zookeeper"
make "$folder/id_ed25519" "$nodes"
make "$roles/slave/id_ed25519" "$volume"
make "$roles/zookeeper/id_ed25519" nothing
for place in "$folder" "$roles/slave" "$roles/zookeeper"; do put "$place/config" "$config"; done
put "$roles/slave/known_hosts" "$known"
