# Prints those of the agents that do not answer for themselves. Two lines of standard input for each: its name, its address.
# var seconds: how long one may take
xargs -r -d '\n' -P 64 -n 2 sh -c '
  curl -fsS --max-time "$0" --output /dev/null "$2/health" 2>/dev/null || printf "%s\n" "$1"
' "$seconds"
