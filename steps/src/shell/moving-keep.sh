# Copies what moves to another node, where it is kept while this machine ends. What the kernel's NFS server serves of it is served no more:
# nothing may be written to it behind the copy.
# var moving: the paths, separated by spaces; those that there are not are none
# var kept: the folder there
# var config: of ssh
# var user: who logs in there
# var port: of its sshd
# var address: its address
if [ "$user" = root ]; then remote=rsync; else remote='sudo -n rsync'; fi
if command -v exportfs >/dev/null; then exportfs -ua; fi
set --
for path in $moving; do if [ -e "$path" ]; then set -- "$@" "$path"; fi; done
rsync --archive --hard-links --numeric-ids --relative --delete --mkpath --timeout=600 --info=progress2 --rsync-path="$remote" \
  -e "ssh -F $config -p $port" -- "$@" "$user@$address:$kept/"
