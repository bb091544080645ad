# Puts checkpoints of another file system beside, in the place of those that were put there before: a secondary namenode that finds
# them makes none of this one.
# var home: the folder of the file system
# var folder: that of its checkpoints
# after on-disk
on_disk "$home"
rm -rf -- "$folder.former"
mv -T -- "$folder" "$folder.former"
