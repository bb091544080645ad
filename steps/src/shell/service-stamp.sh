# `stamp`: what a running daemon was started with, its unit and its configuration.
# sets file: where it is kept
# needs unit: the unit
# needs units: the folder of the file that is laid as it
# needs config: the folders of its configuration
stamp() {
  { cat "$units/$unit"
    for folder in $config; do find "$folder" -type f -exec sha256sum {} + | LC_ALL=C sort; done
    cat /etc/mesosflow/node.env; } | sha256sum | cut -d ' ' -f 1
}
file="/run/mesosflow/$unit.started"
