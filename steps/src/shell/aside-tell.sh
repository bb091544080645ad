# Prints what was moved since it was last told. Steps that run at once on a node ask at once: each line is told to one of them.
# after aside
[ -d "$laid" ] || exit 0
exec 9> "$laid/aside.lock"
flock 9
[ -s "$laid/aside" ] || exit 0
cat "$laid/aside"
cat "$laid/aside" >> "$laid/aside.told"
rm "$laid/aside"
