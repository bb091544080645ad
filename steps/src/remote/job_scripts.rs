//! The shell side of remote jobs: what runs on the node. The protocol is in the documentation of [`super::job`].
//!
//! All of it is POSIX shell with coreutils and util-linux. The variables `base` (the folder of all jobs) and `dir` (this
//! job's) are set in front of each script.

/// `state` sets `$state`; `ended` does where nobody holds the lock. Used by all the scripts below.
///
/// A `pid` or `exit` that is there and says nothing, as after a crash of the machine, still says that the script may have
/// begun.
pub(super) const STATE: &str = r#"ended() {
  detail=
  if [ -s "$dir/exit" ]; then read -r detail <"$dir/exit" || :; fi
  case $detail in
    '' | *[!0-9]*) if [ -e "$dir/pid" ] || [ -e "$dir/exit" ]; then state=lost; else state=absent; fi ;;
    *) state=finished ;;
  esac
}
state() {
  ended
  if [ "$state" = finished ] || [ ! -e "$dir/lock" ]; then return; fi
  if ! flock -s -n "$dir/lock" true; then state=running; return; fi
  # It may have finished between the two looks.
  ended
}
tell() {
  state
  size=0
  for f in out err; do [ ! -e "$dir/$f" ] || size=$((size + $(wc -c <"$dir/$f"))); done
  case $state in
    finished) ;;
    running)
      detail=
      if [ -s "$dir/pid" ]; then read -r detail rest <"$dir/pid" || :; fi
      case $detail in '' | *[!0-9]*) detail=0 ;; esac
      ;;
    *) detail=0 ;;
  esac
  echo "$state $detail $size"
}
"#;

/// Standard input is the job's script, which is written under the lock: of two starts at once, one may be about to be killed.
/// The lock waits a moment, because others take it to look at the state.
pub(super) const START: &str = r#"set -eu
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
  [ "$dir/lock" -ef /proc/self/fd/9 ] || { echo "the job is being removed" >&2; exit 75; }
  printf %s "${script%.}" >"$dir/script.part"
  sync -- "$dir/script.part"
  mv -f -- "$dir/script.part" "$dir/script"
  setsid sh -c "$supervisor" mesosflow-job "$dir" </dev/null >/dev/null 2>&1 &
fi
exec 9>&-
tell
"#;

/// The job's own first process. Descriptor 9 is the lock; the script inherits it.
pub(super) const SUPERVISOR: &str = r#"dir=$1
unset MESOSFLOW_FENCE
umask 022
cd /
set -e
rest=$(cat /proc/$$/stat); rest=${rest##*) }
set -- $rest
started=${20}
read -r boot </proc/sys/kernel/random/boot_id
echo "$$ $started $boot" >"$dir/pid.part"
sync -- "$dir/pid.part" "$dir/script"
mv -- "$dir/pid.part" "$dir/pid"
sync -- "$dir"
set +e
sh "$dir/script" >"$dir/out" 2>"$dir/err"
echo $? >"$dir/exit.part"
sync -- "$dir/exit.part" "$dir/out" "$dir/err"
mv -- "$dir/exit.part" "$dir/exit"
sync -- "$dir"
"#;

/// Ends everything that belongs to the job: what holds its lock, and what is in its session, if the process that `pid` names
/// is still that process. Asked first, then killed until nothing of it is left.
///
/// A holder of the lock is known by `fdinfo`: others have the file open too, to look at it.
pub(super) const STOP: &str = r#"set -eu
state
[ "$state" = running ] || { tell; exit 0; }
lock=$(readlink -f -- "$dir/lock")
leader() {
  session=0
  [ -s "$dir/pid" ] || return 0
  read -r pid started boot <"$dir/pid" || return 0
  read -r now </proc/sys/kernel/random/boot_id
  [ "$boot" = "$now" ] || return 0
  rest=$(cat "/proc/$pid/stat" 2>/dev/null) || return 0
  rest=${rest##*) }
  set -- $rest
  [ "${20}" != "$started" ] || session=$pid
}
members() {
  pids=
  for held in $(find /proc/[0-9]*/fd -lname "$lock" 2>/dev/null); do
    owner=${held#/proc/}
    owner=${owner%%/*}
    if grep -qs FLOCK "/proc/$owner/fdinfo/${held##*/}"; then pids="$pids $owner"; fi
  done
  [ "$session" != 0 ] || return 0
  pids="$pids $(cat /proc/[0-9]*/stat 2>/dev/null | sed 's/^\([0-9]*\) .*) /\1 /' |
    while read -r pid state parent group its rest; do
      if [ "$its" = "$session" ] && [ "$state" != Z ]; then echo "$pid"; fi
    done)"
}
leader
members
kill -s TERM $pids 2>/dev/null || :
flock -w "$grace" "$dir/lock" true || :
looks=0
while members; [ "${pids# }" ]; do
  looks=$((looks + 1))
  [ "$looks" -lt 200 ] || { echo "processes of the job remain:$pids" >&2; exit 75; }
  # None goes on because another was killed before it.
  kill -s STOP $pids 2>/dev/null || :
  kill -s KILL $pids 2>/dev/null || :
  sleep 0.05
done
flock -w 5 "$dir/lock" true || { echo "processes of the job remain" >&2; exit 75; }
# Stopped on purpose is an end, not a loss.
ended
if [ "$state" != finished ]; then
  echo 143 >"$dir/exit.part"
  sync -- "$dir/exit.part"
  mv -- "$dir/exit.part" "$dir/exit"
  sync -- "$dir"
fi
tell
"#;

/// Prints the end of both streams, each as what it is.
pub(super) const OUTPUT: &str = r#"[ ! -e "$dir/out" ] || tail -c "$count" -- "$dir/out"
[ ! -e "$dir/err" ] || tail -c "$count" -- "$dir/err" >&2
"#;

/// Removes the folder unless the job runs. Moved first, so that no half of it is ever seen under its name. Behind
/// [`OUTPUT`], it makes a result one that is taken once.
pub(super) const FORGET: &str = r#"set -eu
[ -d "$dir" ] || exit 0
# Whoever starts the job meanwhile would hold the lock; a finished one is never started.
ended
if [ "$state" != finished ]; then
  exec 9>>"$dir/lock"
  flock -w 1 9 || { echo "the job is running" >&2; exit 75; }
fi
trash=$(mktemp -d -- "$base/.forgotten.XXXXXX")
mv -- "$dir" "$trash/"
rm -rf -- "$trash"
"#;
