# Prints both public halves. The ZooKeepers' opens nothing: nobody needs its public half.
# var folder: where the key of the nodes is
# var roles: where those of the other roles are, a folder for each
# var nodes: the comment of the nodes' key
# var volume: that of the volume's
# var known: the hub's line of known_hosts, for the slaves
# after keys-common
nodes_key=$(public "$folder/id_ed25519" "$nodes")
volume_key=$(public "$roles/slave/id_ed25519" "$volume")
[ -n "$nodes_key" ] && [ -n "$volume_key" ] && [ -s "$roles/zookeeper/id_ed25519" ] || exit 1
for place in "$folder" "$roles/slave" "$roles/zookeeper"; do
  [ "$(stat --format %a -- "$place")" = 700 ] && [ "$(cat "$place/config" 2>/dev/null)" = "$config" ] || exit 1
done
[ "$(cat "$roles/slave/known_hosts")" = "$known" ] || exit 1
printf '%s\n%s\n' "$nodes_key" "$volume_key"
