# Ends everything that belongs to the job: what holds its lock, what is in its session, if the process that `pid` names is still that
# process, and what is marked as its. Asked first, then killed until nothing of it is left.
#
# A holder of the lock is known by `fdinfo`: others have the file open too, to look at it.
# var dir: the job's folder
# var grace: how long they may take to end by themselves, seconds
# after job-state, job-marked
set -eu
state
marked
[ "$state" = running ] || [ -n "$marked" ] || { tell; exit 0; }
lock=$(readlink -f -- "$dir/lock")
leader() {
  session=0
  [ -s "$dir/pid" ] || return 0
  read -r pid started boot <"$dir/pid" || return 0
  read -r now </proc/sys/kernel/random/boot_id
  [ "$boot" = "$now" ] || return 0
  rest=$(cat "/proc/$pid/stat" 2>/dev/null) || return 0
  rest=${rest##*) }
  # shellcheck disable=SC2086
  set -- $rest
  [ "${20}" != "$started" ] || session=$pid
}
members() {
  marked
  pids=$marked
  # shellcheck disable=SC2044
  for held in $(find /proc/[0-9]*/fd -lname "$lock" 2>/dev/null); do
    owner=${held#/proc/}
    owner=${owner%%/*}
    if grep -qs FLOCK "/proc/$owner/fdinfo/${held##*/}"; then pids="$pids $owner"; fi
  done
  [ "$session" != 0 ] || return 0
  pids="$pids $(cat /proc/[0-9]*/stat 2>/dev/null | sed 's/^\([0-9]*\) .*) /\1 /' |
    while read -r pid how parent group its rest; do
      if [ "$its" = "$session" ] && [ "$how" != Z ]; then echo "$pid"; fi
    done)"
}
before=$state
leader
members
# shellcheck disable=SC2086
kill -s TERM $pids 2>/dev/null || :
flock -w "$grace" "$dir/lock" true || :
looks=0
while members; [ -n "${pids## }" ]; do
  looks=$((looks + 1))
  [ "$looks" -lt 200 ] || { echo "processes of the job remain:$pids" >&2; exit 75; }
  # None goes on because another was killed before it.
  # shellcheck disable=SC2086
  kill -s STOP $pids 2>/dev/null || :
  # shellcheck disable=SC2086
  kill -s KILL $pids 2>/dev/null || :
  sleep 0.05
done
flock -w 5 "$dir/lock" true || { echo "processes of the job remain" >&2; exit 75; }
# Stopped on purpose is an end, not a loss.
ended
if [ "$state" != finished ] && [ "$before" = running ]; then
  echo 143 >"$dir/exit.part"
  sync -- "$dir/exit.part"
  mv -- "$dir/exit.part" "$dir/exit"
  sync -- "$dir"
fi
tell
