# Gives the namenode's file system up, marker first. Before the first block goes: from here on nobody takes the folder for a file
# system that is whole.
# var home: the folder of the file system
# var name: its namenode's
# after on-disk
on_disk "$home"
rm -f -- "$home/format"
sync -f "$home" 2>/dev/null || true
rm -rf -- "$name"
sync -f "$home" 2>/dev/null || true
