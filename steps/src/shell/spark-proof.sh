# Runs a small job of Spark on this node alone: HDFS and Mesos need not be up. What the deployed configuration says of a cluster must
# be this one's.
# var url: where frameworks find the leading master
# var job: the job, in Python
grep --quiet --extended-regexp "^spark\.master[[:space:]]+mesos://$url\$" /root/spark/conf/spark-defaults.conf ||
  { echo "spark-defaults.conf does not name mesos://$url" >&2; exit 4; }
# What is proven is not proven again: another Spark, another Java or another configuration is.
proven=/var/lib/mesosflow/spark-proven
what=$({ cat /opt/mesosflow/software; java -version; sha256sum /root/spark/conf/*; printf '%s\n' "$job"; } 2>&1 | sha256sum)
[ "$(cat "$proven" 2>/dev/null)" != "$what" ] || exit 0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '%s\n' "$job" > "$folder/job.py"
# A job of seconds ends before the better compiler has paid: half the processor time without it.
/root/spark/bin/spark-submit --master 'local[2]' --driver-memory 512m --conf spark.ui.enabled=false \
  --driver-java-options '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' \
  --conf "spark.local.dir=$folder" "$folder/job.py" "file://$folder"
mkdir -p "${proven%/*}"
printf '%s\n' "$what" > "$folder/proven"
mv "$folder/proven" "$proven"
