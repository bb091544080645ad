# shellcheck shell=bash
# Read by {{ home }}/bin/hdfs before it starts a program.
export JAVA_HOME={{ java_home }}
export HADOOP_LOG_DIR=/mnt/hadoop-logs
export HADOOP_NAMENODE_HEAP_MB={{ hdfs_heap_mb }}
export HADOOP_DATANODE_HEAP_MB={{ hdfs_heap_mb }}
# The address that a datanode listens on (hdfs-site.xml): this node's own within the cluster, and no other.
if [ -r /etc/mesosflow/node.env ]; then
    # shellcheck disable=SC1091
    . /etc/mesosflow/node.env
fi
export HADOOP_OPTS="-Dmesosflow.address=${NODE_IP:-0.0.0.0} ${HADOOP_OPTS:-}"
# Java's temporary files (the web server's pages, which are deleted and unpacked again under names that can be foretold) where no
# other user can put a link in their way.
if [ "$(id -u)" = 0 ]; then
    mkdir -p -m 700 /var/lib/mesosflow-java
    export HADOOP_OPTS="-Djava.io.tmpdir=/var/lib/mesosflow-java ${HADOOP_OPTS:-}"
fi
# A disk that is full stops more than HDFS: logs, sandboxes, the system itself. Of a disk that HDFS has to itself a tenth is left
# alone, of the root disk a quarter, and never more than 100 GiB; the smallest of several decides. A container's disks are those
# of its machine, which is somebody's: 1 GiB there.
if [ "${1:-}" = datanode ]; then
    mesosflow_reserved=
    mesosflow_most=107374182400
    ! systemd-detect-virt --quiet --container 2> /dev/null || mesosflow_most=1073741824
    for mesosflow_folder in $(echo '{{ data_folders }}' | tr ',' ' '); do
        # The folder itself is made by the datanode.
        while [ ! -e "$mesosflow_folder" ]; do mesosflow_folder=$(dirname "$mesosflow_folder"); done
        mesosflow_size=$(df --block-size=1 --output=size -- "$mesosflow_folder" | tail -n 1)
        mesosflow_part=10
        [ "$(stat --format %d -- "$mesosflow_folder")" != "$(stat --format %d /)" ] || mesosflow_part=25
        mesosflow_size=$((mesosflow_size / 100 * mesosflow_part))
        [ "$mesosflow_size" -le "$mesosflow_most" ] || mesosflow_size=$mesosflow_most
        if [ -z "$mesosflow_reserved" ] || [ "$mesosflow_size" -lt "$mesosflow_reserved" ]; then
            mesosflow_reserved=$mesosflow_size
        fi
    done
    export HADOOP_OPTS="${HADOOP_OPTS:-} -Dmesosflow.du.reserved=$mesosflow_reserved"
fi
