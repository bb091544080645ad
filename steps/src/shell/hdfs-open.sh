# Prints the first few files that somebody has open for writing and whose last block is on none but these datanodes, with a zero byte
# behind each.
# var kind: ephemeral or persistent
# var leaving: the datanodes' addresses, with spaces between them
export LC_ALL=C.UTF-8
# That program fails where the file system lacks anything, and blocks that are being written lack everything to it: it has looked at all
# of them where its last words are there. What it says of such a block has another form in each version, and addresses with ports in all.
"/root/$kind-hdfs/bin/hdfs" fsck / -openforwrite -files -blocks -locations | env LC_ALL=C awk -v leaving="$leaving" '
  function judge(  others, these, address) {
    if (path == "") return
    others = these = 0
    while (match(block, /[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+:[0-9]+/)) {
      address = substr(block, RSTART, RLENGTH)
      sub(/:.*/, "", address)
      if (address in is_leaving) these++; else others++
      block = substr(block, RSTART + RLENGTH)
    }
    if (these && !others && ++files <= 5) printf "%s%c", path, 0
    path = ""
  }
  BEGIN { count = split(leaving, words, " "); for (i = 1; i <= count; i++) is_leaving[words[i]] = 1 }
  / [0-9]+ bytes, .*OPENFORWRITE:/ { judge(); path = $0; sub(/ [0-9]+ bytes, .*/, "", path); block = ""; next }
  /^\/.*( <dir>$| [0-9]+ bytes, )/ { judge() }
  /[0-9]:[0-9]+[,|]/ { block = $0 }
  /^FSCK ended at / { judge(); has_ended = 1 }
  END { exit !has_ended }'
