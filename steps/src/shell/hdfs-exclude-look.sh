# Prints the path of the list of datanodes that leave, and below it what that file has; exit 1 where the configuration names none.
# var kind: ephemeral or persistent
path=$("/root/$kind-hdfs/bin/hdfs" getconf -confKey dfs.hosts.exclude 2>/dev/null) && [ -n "$path" ] || exit 1
printf '%s\n' "$path"
# A file that is there and cannot be read is not taken for an empty one: it would be written over.
[ ! -e "$path" ] || cat -- "$path"
