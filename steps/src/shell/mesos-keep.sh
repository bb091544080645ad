# Copies a Mesos beside the one that runs, complete or not at all.
# var folder: the one that is copied
# var next: where it waits
rm -rf "$next.part"
cp --archive --reflink=auto "$folder" "$next.part"
rm -rf "$next"
mv -T "$next.part" "$next"
