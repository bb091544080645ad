# Sees that the homes of both HDFS and of Spark are ours. A home that was linked to the layout is ours; so is one that was laid
# claim to.
# var homes: the names of those that are meant, each with what in it is a link to the layout
# after aside
for home in $homes; do
  folder=/root/${home%%:*}
  case $(readlink "$folder/${home#*:}") in /opt/mesosflow/*) continue ;; esac
  make_way "$folder"
  mkdir -p "$folder"
  is_ours "$folder" || lay_claim "$folder" "$folder"
done
