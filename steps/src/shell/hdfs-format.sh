# Formats the namenode's file system. The marker is written last; without it the format is not done, and nothing has been stored
# yet.
# var home: the folder of the file system
# var name: its namenode's
# var kind: ephemeral or persistent
# var id: the clusterID
# var key: the effect key, for the marker
# after on-disk
on_disk "$home"
rm -f -- "$home/format"
rm -rf -- "$name"
"/root/$kind-hdfs/bin/hdfs" namenode -format -nonInteractive -clusterid "$id"
ls "$name"/current/fsimage_*.md5 >/dev/null
printf '%s\n' "$key" > "$home/format.new"
sync -f "$home"
mv -- "$home/format.new" "$home/format"
