# shellcheck shell=bash
# Hadoop as a framework on Mesos: where its Java, its log and Mesos' own library are.
export JAVA_HOME={{ java_home }}
export HADOOP_LOG_DIR=/mnt/hadoop-logs
export MESOS_NATIVE_JAVA_LIBRARY=/root/mesos/lib/libmesos.so
export LD_LIBRARY_PATH=/root/mesos/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
