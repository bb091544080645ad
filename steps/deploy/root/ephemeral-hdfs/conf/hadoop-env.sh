# shellcheck shell=bash
# Read by ephemeral-hdfs/bin/hdfs before it starts a program.
export JAVA_HOME={{ java_home }}
export HADOOP_LOG_DIR=/mnt/hadoop-logs
export HADOOP_NAMENODE_HEAP_MB={{ hdfs_heap_mb }}
export HADOOP_DATANODE_HEAP_MB={{ hdfs_heap_mb }}
