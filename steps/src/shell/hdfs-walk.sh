# Functions. `walk EACH END` lists what is below the folders that standard input names, with a zero byte behind each, and hands every file to
# the statements EACH, as it comes: its `path`, `size`, and as `want` how many copies it is to have; END are those for the end. The name
# of a file may have anything but a zero byte in it. `told NAME COMMAND…` runs a command and keeps how it ended, for `judge`.
# sets folder: what is kept, until the script ends
# needs kind: ephemeral or persistent
# needs left: how many datanodes there will be
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
# Java reads and writes names in the letters of the locale. It holds one folder's entries at a time, of a million files half a GB.
export LC_ALL=C.UTF-8 HADOOP_CLIENT_HEAP_MB=1024 HADOOP_CLIENT_OPTS=-Xmx1g
told() {
  name=$1
  shift
  "$@" 2> "$folder/$name.errors" || echo "$?" > "$folder/$name.status"
}
# What went while it was looked at is no failure.
judge() {
  for status in "$folder"/*.status; do
    [ -e "$status" ] || continue
    errors=${status%.status}.errors
    ! grep -v -e 'No such file or directory' -e 'does not exist' -e ' WARN ' "$errors" >&2 && [ -s "$errors" ] || exit 1
  done
}
# A line that is no entry goes on with the name above it.
walk() {
  told list xargs -0 "/root/$kind-hdfs/bin/hdfs" dfs -ls -R | told sift env LC_ALL=C awk -v left="$left" '
    function each() { if (is_file) { '"$1"' } is_file = 0 }
    /^[-d][-rwxsStT]+[+ ]? +([0-9]+|-) / &&
      match($0, / +[0-9]+ [0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9] \//) {
      each()
      is_file = $2 != "-"
      want = $2 + 0
      path = substr($0, RSTART + RLENGTH - 1)
      size = substr($0, RSTART) + 0
      next
    }
    is_file { path = path "\n" $0 }
    END { each(); '"$2"' }'
}
