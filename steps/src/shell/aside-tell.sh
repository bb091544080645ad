# Prints what was moved since it was last told.
# after aside
[ -s "$laid/aside" ] || exit 0
cat "$laid/aside"
cat "$laid/aside" >> "$laid/aside.told"
rm "$laid/aside"
