# Prints those of the flags on standard input, one a line, that somebody else than mesosflow has on this node, each with its file: what the
# boot script leaves as it is.
# var folder: the daemon's flags, a file each
list=$folder/.mesosflow
[ -e "$list" ] || list=/var/lib/mesosflow/role/written-${folder##*/}
while IFS= read -r flag; do
  bare=${flag#\?} bare=${bare#no-}
  for name in "$bare" "?$bare" "?no-$bare"; do
    file=$folder/$name
    [ -e "$file" ] || [ -h "$file" ] || continue
    if [ -f "$file" ] && [ ! -h "$file" ] &&
      grep --quiet --line-regexp --fixed-strings -e "$name $(sha256sum < "$file" | cut -d ' ' -f 1)" "$list" 2>/dev/null; then continue; fi
    printf '%s\t%s\n' "$flag" "$file"
    break
  done
done
