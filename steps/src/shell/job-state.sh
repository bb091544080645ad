# Functions. `state` looks; `ended` does where nobody holds the lock; `tell` prints the state, with the exit status or the process
# and the size of the output.
#
# A `pid` or `exit` that is there and says nothing, as after a crash of the machine, still says that the script may have begun.
# sets state: absent, running, finished or lost
# needs dir: the job's folder
ended() {
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
