# shellcheck shell=bash
# Hadoop as a framework on Mesos: where its Java, its log and Mesos' own library are.
# Where the system puts its Java elsewhere, the one in the path is taken.
if [ -x "{{ java_home }}/bin/java" ]; then export JAVA_HOME="{{ java_home }}"; fi
export HADOOP_LOG_DIR=/mnt/hadoop-logs
export MESOS_NATIVE_JAVA_LIBRARY=/root/mesos/lib/libmesos.so
export LD_LIBRARY_PATH=/root/mesos/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
# Java's temporary files (the web server's pages, which are deleted and unpacked again under names that can be foretold) where no
# other user can put a link in their way.
if [ "$(id -u)" = 0 ]; then
    mkdir -p -m 700 /var/lib/mesosflow-java
    export HADOOP_OPTS="-Djava.io.tmpdir=/var/lib/mesosflow-java ${HADOOP_OPTS:-}"
fi
