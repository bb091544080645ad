#!/usr/bin/env bash
# Read by bin/spark-submit and its like.
# Where the system puts its Java elsewhere, the one in the path is taken.
if [ -x "{{ java_home }}/bin/java" ]; then export JAVA_HOME="{{ java_home }}"; fi
# Without a locale that has them, Java takes every letter beyond ASCII in arguments and names for an unknown one.
case ${LC_ALL:-${LC_CTYPE:-${LANG:-C}}} in
    C | POSIX) export LC_ALL=C.UTF-8 ;;
esac
export MESOS_NATIVE_JAVA_LIBRARY=/root/mesos/lib/libmesos.so
export LD_LIBRARY_PATH=/root/mesos/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export HADOOP_CONF_DIR=/root/ephemeral-hdfs/conf
# What executors call back, and what the driver calls itself: by a name that slaves do not know, every offer would be declined.
if [ -r /etc/mesosflow/node.env ]; then
    # shellcheck disable=SC1091
    . /etc/mesosflow/node.env
    export SPARK_LOCAL_IP=$NODE_IP
    export SPARK_LOCAL_HOSTNAME=$NODE_IP
fi
