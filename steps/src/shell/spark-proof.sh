# Runs a small job of Spark on this node alone: HDFS and Mesos need not be up. What the deployed configuration says of a cluster must
# be this one's.
# var url: where frameworks find the leading master
# var job: the job, in Python
# after spark-job
grep --quiet --extended-regexp "^spark\.master[[:space:]]+mesos://$url\$" /root/spark/conf/spark-defaults.conf ||
  { echo "spark-defaults.conf does not name mesos://$url" >&2; exit 4; }
# What is proven is not proven again: another Spark, another Java or another configuration is.
proven=/var/lib/mesosflow/spark-proven
what=$({ cat /opt/mesosflow/software; java -version; sha256sum /root/spark/conf/*; printf '%s\n' "$job"; } 2>&1 | sha256sum)
[ "$(cat "$proven" 2>/dev/null)" != "$what" ] || exit 0
# One at once; what a killed one has left goes with the next.
folder=/var/lib/mesosflow/spark-proof
trap 'rm -rf -- "$folder"' EXIT
rm -rf -- "$folder"
mkdir -p -m 700 "$folder"
status=0
run_job 590 'local[2]' "$folder" "file://$folder/written" || status=$?
[ "$status" != 124 ] || echo "no end after 590 s" >&2
[ "$status" = 0 ] || exit "$status"
printf '%s\n' "$what" > "$folder/proven"
mv "$folder/proven" "$proven"
