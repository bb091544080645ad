# Prints the state, then what both outputs have behind what was read of them, at most so many bytes of each.
# var dir: the job's folder
# var out: how many bytes of its standard output were read
# var err: the same of its standard error
# var count: how many may come
# after job-state
set -eu
tell
[ ! -e "$dir/out" ] || tail -c "+$((out + 1))" -- "$dir/out" | head -c "$count"
[ ! -e "$dir/err" ] || tail -c "+$((err + 1))" -- "$dir/err" | head -c "$count" >&2
