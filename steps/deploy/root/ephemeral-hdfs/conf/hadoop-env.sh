# shellcheck shell=bash
# Read by ephemeral-hdfs/bin/hdfs before it starts a program.
export JAVA_HOME={{ java_home }}
export HADOOP_LOG_DIR=/mnt/hadoop-logs
export HADOOP_NAMENODE_HEAP_MB={{ hdfs_heap_mb }}
export HADOOP_DATANODE_HEAP_MB={{ hdfs_heap_mb }}
# A disk that is full stops more than HDFS: logs, sandboxes, the system itself. Of a disk that HDFS has to itself a tenth is left
# alone, of the root disk a quarter, and never more than 100 GiB; the smallest of several decides.
if [ "${1:-}" = datanode ]; then
    mesosflow_reserved=
    for mesosflow_folder in $(echo '{{ hdfs_data_dirs }}' | tr ',' ' '); do
        # The folder itself is made by the datanode.
        while [ ! -e "$mesosflow_folder" ]; do mesosflow_folder=$(dirname "$mesosflow_folder"); done
        mesosflow_size=$(df --block-size=1 --output=size -- "$mesosflow_folder" | tail -n 1)
        mesosflow_part=10
        [ "$(stat --format %d -- "$mesosflow_folder")" != "$(stat --format %d /)" ] || mesosflow_part=25
        mesosflow_size=$((mesosflow_size / 100 * mesosflow_part))
        [ "$mesosflow_size" -le 107374182400 ] || mesosflow_size=107374182400
        if [ -z "$mesosflow_reserved" ] || [ "$mesosflow_size" -lt "$mesosflow_reserved" ]; then
            mesosflow_reserved=$mesosflow_size
        fi
    done
    export HADOOP_OPTS="${HADOOP_OPTS:-} -Dmesosflow.du.reserved=$mesosflow_reserved"
fi
