# Whether the export shows the token. Over the protocol, not through the folder: an NFS client in user space, as a client of the
# cluster. A system without a package of it has a kernel that can do it, by a mount of its own that does not wait for a dead
# server.
# var server: its address
# var file: the token's name
# var token: what it holds
if command -v nfs-cat >/dev/null; then
  said=$(nfs-cat "nfs://$server/mnt/nfs/$file?version=4" 2>/dev/null) || exit 1
else
  mount=$(mktemp -d)
  trap 'umount --lazy "$mount" 2>/dev/null || true; rmdir "$mount"' EXIT
  mount -t nfs4 -o ro,soft,timeo=50,retrans=1,retry=0 "$server:/mnt/nfs" "$mount" 2>/dev/null || exit 1
  said=$(cat "$mount/$file" 2>/dev/null) || exit 1
fi
[ "$said" = "$token" ] || exit 1
