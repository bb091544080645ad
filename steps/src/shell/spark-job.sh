# A job of Spark's that makes a shuffle, and writes to folders, reads from them and removes them: `run_job LIMIT MASTER FOLDER URL…`.
# needs job: the job, in Python
# arguments: how long it may take, seconds; where to run, or nothing for where the configuration says; a folder for its own files; the URLs
# of the folders that it writes to. Exit status 124: it did not end; 3: it had nowhere to run for MESOSFLOW_OFFER_LIMIT seconds, where that is set.
run_job() {
  limit=$1 place=$2 own=$3
  shift 3
  printf '%s\n' "$job" > "$own/job.py"
  set -- "$own/job.py" "$@"
  [ -z "$place" ] || set -- --master "$place" "$@"
  # Whoever ends it takes all that it has made away with its folder.
  export TMPDIR="$own" SPARK_SUBMIT_OPTS="-Djava.io.tmpdir=$own"
  # A job of seconds ends before the better compiler has paid: half the processor time without it.
  timeout -k 5 "$limit" /root/spark/bin/spark-submit --driver-memory 512m --conf spark.ui.enabled=false \
    --conf spark.eventLog.enabled=false --driver-java-options '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' --conf spark.cores.max=1 \
    --conf "spark.local.dir=$own" "$@"
}
