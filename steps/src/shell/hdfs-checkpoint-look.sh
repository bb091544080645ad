# Prints the clusterID of the checkpoints that are kept in a folder, then of the newest whole one its transaction, when it was made
# (seconds since 1970) and how many seconds ago; only the clusterID where none is whole, and nothing where nothing is.
# var home: the folder of the file system
# var folder: that of its checkpoints
# after on-disk
on_disk "$home"
id=$(sed -n 's/^clusterID=//p' "$folder/current/VERSION" 2>/dev/null) || id=
[ -n "$id" ] || exit 0
cd "$folder/current"
newest=
# The numbers are of one width: the order of the names is theirs. A checksum is written before its image has its name.
for sum in fsimage_*.md5; do
  image=${sum%.md5}
  if [ -e "$image" ] && md5sum --check --status "$sum"; then newest=$image; fi
done
[ -n "$newest" ] || { echo "$id"; exit 0; }
made=$(stat --format %Y -- "$newest")
echo "$id ${newest#fsimage_} $made $(($(date +%s) - made))"
