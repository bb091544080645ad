# Prints each job whose id begins so: the id, the state as `tell` has it, when it began and when it was over (seconds since 1970, 0 for
# not yet), and the first line of its script.
# var base: the folder of all jobs
# var beginning: of the ids
# after job-state
set -eu
for dir in "$base/$beginning"*; do
  [ -d "$dir" ] || continue
  began=0 over=0 first=
  [ ! -e "$dir/pid" ] || began=$(stat -c %Y -- "$dir/pid")
  [ ! -e "$dir/exit" ] || over=$(stat -c %Y -- "$dir/exit")
  [ ! -e "$dir/script" ] || IFS= read -r first <"$dir/script" || :
  printf '%s %s %s %s %s\n' "${dir##*/}" "$(tell)" "$began" "$over" "$first"
done
