# shellcheck shell=bash
# Read by ephemeral-hdfs/bin/hdfs before it starts a program.
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
