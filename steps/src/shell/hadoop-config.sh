# Whether the Hadoop framework's files are good. Hadoop reads its own files: a malformed one, or another job tracker, is found by
# it.
# var address: the ephemeral HDFS'
for file in /root/mesos-ec2/hadoop-framework-conf/*-site.xml; do
  python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$file"
done
value=$(HADOOP_CONF_DIR=/root/mesos-ec2/hadoop-framework-conf /root/ephemeral-hdfs/bin/hdfs getconf -confKey fs.defaultFS)
[ "$value" = "$address" ] || { echo "fs.defaultFS is $value, not $address" >&2; exit 4; }
