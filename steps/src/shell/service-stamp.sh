# `stamp`: what a running daemon was started with, its unit and its configuration. What only clients read is none of it, and changes
# with the number of slaves: their list, and how many copies of a new file are kept.
# sets file: where it is kept, until the node boots
# needs unit: the unit
# needs units: the folder of the file that is laid as it
# needs config: the folders of its configuration
stamp() {
  { cat "$units/$unit"
    for folder in $config; do
      find "$folder" -type f ! -name slaves ! -name hdfs-site.xml -exec sha256sum {} + | LC_ALL=C sort
      [ ! -e "$folder/hdfs-site.xml" ] || sed '/<name>dfs\.replication</,/<\/property>/d' "$folder/hdfs-site.xml"
    done
    cat /etc/mesosflow/node.env; } | sha256sum | cut -d ' ' -f 1
}
file="/run/mesosflow/$unit.started"
