# Runs a job of Spark's that writes to both HDFS and reads from them, and removes what it wrote. What it cannot remove, and its own files where it
# is killed, are the janitor's.
# Exit status 3: nobody has offered what an executor needs.
# var nonce: tells this check from others
# var job: the job, in Python
# var hub: the address of the first master
# var master: where to run; nothing for Mesos, as the configuration has it
# var limit: how long it may take, seconds
# var offers: after how many seconds without anywhere to run it ends by itself
# after spark-job
folder=/var/lib/mesosflow/check.$nonce
trap 'rm -rf -- "$folder"' EXIT
mkdir -p -m 700 "$folder"
marker=/run/mesosflow/check.$nonce
: > "$marker.ephemeral"
: > "$marker.persistent"
export MESOSFLOW_OFFER_LIMIT="$offers"
status=0
run_job "$limit" "$master" "$folder" "hdfs://$hub:9000/mesosflow-check.$nonce" "hdfs://$hub:9010/mesosflow-check.$nonce" \
  > "$folder/said" 2>&1 || status=$?
if [ "$status" = 0 ]; then
  rm -f -- "$marker.ephemeral" "$marker.persistent"
  exit 0
fi
[ "$status" != 3 ] || exit 3
if [ "$status" = 124 ] && grep --quiet 'has not accepted any resources' "$folder/said"; then
  exit 3
fi
# What went wrong, without the places in the code.
grep -E '(Error|Exception)(:|$)' "$folder/said" | grep -vE '^[[:space:]]+at ' | tail -n 4 > "$folder/why" || :
[ -s "$folder/why" ] || tail -n 4 "$folder/said" > "$folder/why"
cat "$folder/why" >&2
[ "$status" != 124 ] || echo "no end after $limit s" >&2
exit 4
