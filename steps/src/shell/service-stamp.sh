# `stamp`: what a running daemon was started with, its unit and its configuration.
# sets file: where it is kept
# needs unit: the unit
# needs config: the folders of its configuration
stamp() {
  { cat "/root/mesos-ec2/units/$unit"
    for folder in $config; do find "$folder" -type f -exec sha256sum {} + | LC_ALL=C sort; done
    cat /etc/mesosflow/node.env; } | sha256sum | cut -d ' ' -f 1
}
file="/run/mesosflow/$unit.started"
