# Prints what makes a file system this one, as a folder of its images has it; nothing where there is none.
# var home: the folder of the file system
# var folder: that of the images
# after on-disk
on_disk "$home"
[ -e "$folder/current/VERSION" ] || exit 0
grep -E '^(namespaceID|clusterID|blockpoolID)=' "$folder/current/VERSION" | LC_ALL=C sort
