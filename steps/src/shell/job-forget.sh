# Removes the folder unless the job runs. Moved first, so that no half of it is ever seen under its name.
# var dir: the job's folder
# var base: the folder of all jobs
# after job-state, job-marked
set -eu
[ -d "$dir" ] || exit 0
# Whoever starts the job meanwhile would hold the lock; a finished one is never started.
ended
if [ "$state" != finished ]; then
  exec 9>>"$dir/lock"
  flock -w 1 9 || { echo "the job is running" >&2; exit 75; }
fi
marked
[ -z "$marked" ] || { echo "processes that the job has begun go on: $marked" >&2; exit 75; }
trash=$(mktemp -d -- "$base/.forgotten.XXXXXX")
mv -- "$dir" "$trash/"
rm -rf -- "$trash"
