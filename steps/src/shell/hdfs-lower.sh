# Sets the number of copies of every file that wants more than there will be datanodes to that; prints how many there were. The others
# are left alone.
# var kind: ephemeral or persistent
# var left: how many datanodes there will be
# after hdfs-walk
# Paths are patterns to that program.
walk 'if (want > left) { gsub(/[\\*?{}\[\]]/, "\\\\&", path); printf "%s%c", path, 0 }' '' |
  told lower xargs -0 -r -s 1000000 "/root/$kind-hdfs/bin/hdfs" dfs -setrep "$left" |
  grep -c '^Replication ' || true
judge
