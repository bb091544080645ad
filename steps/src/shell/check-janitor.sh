# Waits on the first master until a check is over, or its time is up because nobody ends it any more, and takes away what is left of
# it: files of both HDFS, whole or half, the one of the shared volume, and the folder of a job of Spark's.
# var nonce: tells this check from others
# var limit: how long it may take, seconds
marker=/run/mesosflow/check.$nonce
end=$(($(date +%s) + limit))
while [ -e "$marker" ] && [ "$(date +%s)" -lt "$end" ]; do sleep 1; done
rm -f -- "/mnt/nfs/.mesosflow-check.$nonce"
for kind in ephemeral persistent; do
  [ -e "$marker.$kind" ] || continue
  "/root/$kind-hdfs/bin/hdfs" dfs -rm -r -f -skipTrash "/mesosflow-check.$nonce" "/mesosflow-check.$nonce._COPYING_" || :
done
rm -rf -- "/var/lib/mesosflow/check.$nonce"
rm -f -- "$marker" "$marker.ephemeral" "$marker.persistent"
