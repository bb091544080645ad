# Prints `empty`, `half`, or `complete` with the clusterID and the key of the format that made it. Neither VERSION nor an image
# alone proves a format: both do, the image with the checksum that is written after it.
# var home: the folder of the file system
# var name: its namenode's
# after on-disk
on_disk "$home"
[ -d "$name/current" ] || { echo empty; exit 0; }
id=$(sed -n 's/^clusterID=//p' "$name/current/VERSION" 2>/dev/null) || id=
image=
for file in "$name"/current/fsimage_*.md5; do
  [ -e "$file" ] && (cd "$name/current" && md5sum --check --status "${file##*/}") && image=$file
done
if [ -n "$id" ] && [ -n "$image" ]; then
  echo "complete $id $(cat "$home/format" 2>/dev/null || true)"
elif [ -n "$(ls -A "$name/current")" ]; then echo half; else echo empty; fi
