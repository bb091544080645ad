# Writes the number to /tmp/zookeeper/myid. Folder and file are made, never opened. What is in the way is put where only root
# looks: it may be somebody's data.
# var id: the server's number
# after myid-ours
[ -k /tmp ] && [ "$(stat --dereference --format %u /tmp)" = 0 ] || {
  echo "/tmp is not root's, or not sticky: whatever is put there may be replaced by others" >&2; exit 4
}
aside= tries=0
until is_ours; do
  tries=$((tries + 1))
  [ "$tries" -le 20 ] || { echo "$folder is made again by $(stat --format %U -- "$folder" || echo somebody) as often as it is removed" >&2; exit 4; }
  if [ -e "$folder" ] || [ -L "$folder" ]; then
    [ -n "$aside" ] || aside=$(mktemp -d /tmp/mesosflow-aside.XXXXXX)
    mv -T -- "$folder" "$aside/zookeeper.$tries" 2>/dev/null || true
  fi
  mkdir -m 755 -- "$folder" 2>/dev/null || true
done
new=$(mktemp -- "$folder/.myid.XXXXXX")
printf '%s\n' "$id" > "$new"
chmod 644 "$new"
mv -fT -- "$new" "$folder/myid"
