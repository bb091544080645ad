# Prints the first few files that want more copies than there will be datanodes, with a zero byte behind each, and at the end how many
# there are, their bytes, the highest such number, and the bytes that all files will take.
# var kind: ephemeral or persistent
# var left: how many datanodes there will be
# after hdfs-walk
walk '
  stored += size * (want < left ? want : left)
  if (want > left) {
    if (++files <= 5) printf "%s%c", path, 0
    bytes += size
    if (want > highest) highest = want
  }' 'printf "%.0f %.0f %.0f %.0f", files, bytes, highest, stored'
judge
