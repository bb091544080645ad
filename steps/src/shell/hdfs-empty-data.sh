# Empties a datanode's folders.
# var folders: the folders, with commas between them
# after on-disk
IFS=,
# shellcheck disable=SC2086
on_disk $folders
for folder in $folders; do
  # Not the folder itself, which may be where a disk is mounted.
  [ ! -d "$folder" ] || find "$folder" -mindepth 1 -delete
done
