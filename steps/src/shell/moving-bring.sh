# Lays down what another node keeps for this machine, each thing in its place.
# var moving: the paths of what that has, separated by spaces
# var kept: the folder there
# var config: of ssh
# var user: who logs in there
# var port: of its sshd
# var address: its address
if [ "$user" = root ]; then remote=rsync; else remote='sudo -n rsync'; fi
for path in $moving; do
  mkdir -p -- "${path%/*}"
  rsync --archive --hard-links --numeric-ids --delete --timeout=600 --info=progress2 --rsync-path="$remote" \
    -e "ssh -F $config -p $port" -- "$user@$address:$kept$path" "${path%/*}/"
done
