# Processes that a job of the user's has begun, wherever they went: each carries the job's id in its environment. No other job has them.
# sets marked: their process ids
# needs dir: the job's folder
marked() {
  # shellcheck disable=SC2046
  marked=$(printf '%s\n' $(grep -lszxF "MESOSFLOW_JOB=${dir##*/}" /proc/[0-9]*/environ 2>/dev/null) |
    sed -n 's|^/proc/\([0-9]*\)/environ$|\1|p' | tr '\n' ' ')
}
