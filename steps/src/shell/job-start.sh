# Standard input is the job's script, which is written under the lock: of two starts at once, one may be about to be killed. The
# lock waits a moment, because others take it to look at the state.
# var dir: the job's folder
# var supervisor: job-supervisor.sh
# after job-state
set -eu
umask 077
mkdir -p -- "$dir"
script=$(cat; echo .)
state
# Who holds the lock and has begun nothing is starting it, or was cut off in that and is about to go.
looks=0
while [ "$state" = running ] && [ ! -e "$dir/pid" ] && [ "$looks" -lt 200 ]; do
  looks=$((looks + 1))
  sleep 0.05
  state
done
case $state in running | finished) tell; exit 0 ;; esac
exec 9>>"$dir/lock"
flock -w 5 9 || { tell; exit 0; }
ended
if [ "$state" = absent ]; then
  # shellcheck disable=SC3013 # dash and bash know it
  [ "$dir/lock" -ef /proc/self/fd/9 ] || { echo "the job is being removed" >&2; exit 75; }
  printf %s "${script%.}" >"$dir/script.part"
  sync -- "$dir/script.part"
  mv -f -- "$dir/script.part" "$dir/script"
  setsid sh -c "$supervisor" mesosflow-job "$dir" </dev/null >/dev/null 2>&1 &
fi
exec 9>&-
tell
