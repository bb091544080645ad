//! The shell side of remote jobs: what runs on the node. The protocol is in the documentation of [`super::job`].
//!
//! All of it is POSIX shell with coreutils and util-linux. The variables `base` (the folder of all jobs) and `dir` (this
//! job's) are set in front of each script.

/// Sets `state` to what the files say. Used by all the scripts below.
pub(super) const STATE: &str = r#"state() {
  if [ -s "$dir/exit" ]; then state=finished; return; fi
  if [ ! -e "$dir/lock" ]; then state=absent; return; fi
  if ! flock -s -n "$dir/lock" true; then state=running; return; fi
  # It may have finished between the two looks.
  if [ -s "$dir/exit" ]; then state=finished
  elif [ -s "$dir/pid" ]; then state=lost
  else state=absent
  fi
}
tell() {
  state
  size=0
  for f in out err; do [ ! -e "$dir/$f" ] || size=$((size + $(wc -c <"$dir/$f"))); done
  case $state in
    finished) read -r detail <"$dir/exit" ;;
    running) detail=0; [ -s "$dir/pid" ] && read -r detail rest <"$dir/pid" ;;
    *) detail=0 ;;
  esac
  echo "$state $detail $size"
}
"#;

/// Standard input is the job's script. The lock waits a moment, because others take it to look at the state.
pub(super) const START: &str = r#"set -eu
umask 077
mkdir -p -- "$dir"
part=$(mktemp -- "$dir/.script.XXXXXX")
trap 'rm -f -- "$part"' EXIT
cat >"$part"
state
case $state in running | finished) tell; exit 0 ;; esac
exec 9>>"$dir/lock"
flock -w 5 9 || { tell; exit 0; }
if [ ! -e "$dir/exit" ] && [ ! -e "$dir/pid" ]; then
  [ "$dir/lock" -ef /proc/self/fd/9 ] || { echo "the job is being removed" >&2; exit 75; }
  sync -- "$part"
  mv -f -- "$part" "$dir/script"
  rm -f -- "$dir"/.script.*
  setsid sh -c "$supervisor" mesosflow-job "$dir" </dev/null >/dev/null 2>&1 &
fi
exec 9>&-
tell
"#;

/// The job's own first process. Descriptor 9 is the lock; the script inherits it.
pub(super) const SUPERVISOR: &str = r#"dir=$1
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

/// Stops the job's process group, if the process that `pid` names is still that process.
pub(super) const STOP: &str = r#"set -eu
state
[ "$state" = running ] || { tell; exit 0; }
mine() {
  [ -s "$dir/pid" ] || return 1
  read -r pid started boot <"$dir/pid"
  read -r now </proc/sys/kernel/random/boot_id
  [ "$boot" = "$now" ] || return 1
  rest=$(cat "/proc/$pid/stat" 2>/dev/null) || return 1
  rest=${rest##*) }
  set -- $rest
  [ "${20}" = "$started" ]
}
if ! mine; then
  grace=1
else
  kill -s TERM -- "-$pid" 2>/dev/null || :
  flock -w "$grace" "$dir/lock" true || { mine && kill -s KILL -- "-$pid" 2>/dev/null || :; }
fi
flock -w "$grace" "$dir/lock" true || { echo "processes of the job remain" >&2; exit 75; }
# Stopped on purpose is an end, not a loss.
if [ ! -s "$dir/exit" ]; then
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

/// Removes the folder unless the job runs. Moved first, so that no half of it is ever seen under its name.
pub(super) const FORGET: &str = r#"set -eu
[ -d "$dir" ] || exit 0
# Whoever starts the job meanwhile would hold the lock; a finished one is never started.
if [ ! -s "$dir/exit" ]; then
  exec 9>>"$dir/lock"
  flock -w 1 9 || { echo "the job is running" >&2; exit 75; }
fi
trash=$(mktemp -d -- "$base/.forgotten.XXXXXX")
mv -- "$dir" "$trash/"
rm -rf -- "$trash"
"#;
