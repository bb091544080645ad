#!/bin/bash
# Records an archive of the classes that HDFS loads (AppCDS), so that each of its programs starts in half the time.
#
# Runs inside the new tree, with a network of its own. A small HDFS is formatted, started, written to and read; what
# its programs loaded is dumped into one archive for them all. One archive, because the launcher cannot know better
# than the virtual machine which of several fits.
set -euo pipefail

share=/opt/mesosflow/hadoop-2.7.3
train=/tmp/train
export HADOOP_CONF_DIR=$train/conf HADOOP_LOG_DIR=$train HADOOP_ROOT_LOGGER=INFO,console
mkdir -p "$train/conf" "$train/lists"
ip link set lo up
# The machine's own name means nothing in here, and Hadoop looks its name up before all else.
hostname localhost
[ -s /etc/hosts ] || echo '127.0.0.1 localhost' >/etc/hosts

property() { printf '<property><name>%s</name><value>%s</value></property>' "$1" "$2"; }
{
    echo '<configuration>'
    property fs.defaultFS hdfs://127.0.0.1:9000
    property hadoop.tmp.dir "$train/tmp"
    echo '</configuration>'
} >"$train/conf/core-site.xml"
{
    echo '<configuration>'
    property dfs.replication 1
    property dfs.webhdfs.enabled false
    property dfs.namenode.datanode.registration.ip-hostname-check false
    property dfs.permissions.enabled false
    echo '</configuration>'
} >"$train/conf/hdfs-site.xml"
# Logging to a file is part of what a daemon loads.
cat >"$train/conf/log4j.properties" <<'END'
log4j.rootLogger=INFO,console,file
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.target=System.err
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.file=org.apache.log4j.RollingFileAppender
log4j.appender.file.File=/tmp/train/hadoop.log
log4j.appender.file.layout=org.apache.log4j.PatternLayout
END

# In a subshell that becomes the program, so that the process id of a daemon is the daemon's.
hdfs() ( # LIST ARGUMENT...
    export HADOOP_OPTS="-XX:DumpLoadedClassList=$train/lists/$1"
    shift
    exec "$share/bin/hdfs" "$@"
)

# For at most half a minute, and not at all for a daemon that has died.
wait_for() {
    local _
    for _ in $(seq 300); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        kill -0 "${daemons[@]}" || break
        sleep 0.1
    done
    echo "gave up waiting for: $*" >&2
    return 1
}
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1"); }

daemons=()
stop() { [ ${#daemons[@]} -eq 0 ] || kill "${daemons[@]}" 2>/dev/null || true; }
trap stop EXIT

hdfs format namenode -format -nonInteractive
hdfs namenode namenode &
daemons+=($!)
wait_for port_open 9000
hdfs datanode datanode &
daemons+=($!)
wait_for curl -sf http://127.0.0.1:50070/jmx
wait_for sh -c 'curl -s http://127.0.0.1:50070/jmx | grep -q "\"NumLiveDataNodes\" : 1"'
echo text | hdfs put dfs -put - /text
hdfs cat dfs -cat /text
hdfs ls dfs -ls /
hdfs report dfsadmin -report
hdfs fsck fsck / || true
kill "${daemons[@]}"
wait "${daemons[@]}" || true
daemons=()

# Generated classes and those of other class loaders cannot be named in a list for this kind of archive.
cat "$train"/lists/* | grep -v '^#' | grep -v '^@' | grep -v 'source:' | sed 's/ id:.*//' | awk '!seen[$0]++' >"$train/classes"
java -Xshare:dump -Xlog:disable -Xlog:all=error:stderr "-XX:SharedClassListFile=$train/classes" \
    "-XX:SharedArchiveFile=$share/hdfs.jsa.new" -cp "$(cat "$share/classpath")"
mv "$share/hdfs.jsa.new" "$share/hdfs.jsa"
chmod 0644 "$share/hdfs.jsa"
echo "archived $(wc -l <"$train/classes") classes"
