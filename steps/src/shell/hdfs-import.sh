# Makes a checkpoint of another node the namenode's folder: whole or not at all. The format's mark comes first: a folder without its
# mark would be taken for one that nobody of mesosflow's made.
# var home: the folder of the file system
# var name: its namenode's
# var id: the clusterID that it has to have
# var image: the file of the checkpoint
# var transaction: its last one
# var key: the effect key of the format that made the file system; empty where mesosflow did not
# var config: the client's configuration of SSH
# var user: who logs in there
# var port: where
# var address: where
# var from: the folder that the file is in
# after on-disk
on_disk "$home"
beside=$name.import
rm -rf -- "$beside"
mkdir -p -- "$beside/current"
if [ "$user" = root ]; then remote=rsync; else remote='sudo -n rsync'; fi
rsync --archive --timeout=60 --rsync-path="$remote" -e "ssh -F $config -p $port" -- \
  "$user@$address:$from/$image" ":$from/$image.md5" ":$from/VERSION" "$beside/current/"
(cd "$beside/current" && md5sum --check --quiet "$image.md5")
grep -qxF "clusterID=$id" "$beside/current/VERSION"
printf '%s\n' "$transaction" > "$beside/current/seen_txid"
chown -R root:root "$beside"
rm -f -- "$home/format"
if [ -n "$key" ]; then printf '%s\n' "$key" > "$home/format"; fi
sync -f "$home"
# Refuses over a folder that has anything in it.
mv -T -- "$beside" "$name"
sync -f "$home"
