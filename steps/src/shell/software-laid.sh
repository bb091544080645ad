# Hands out, as a tar, a folder that was laid out of a tarball; exit status 1 where it is not what was asked for, or not whole.
# var name: hadoop or spark
# var made_from: what it has to be made from
folder=/opt/mesosflow/$name
[ "$(cat "$folder/made-from" 2>/dev/null)" = "$made_from" ] || exit 1
[ -s "$folder/classpath" ] || exit 1
tr : '\n' < "$folder/classpath" | while read -r jar; do
  [ -s "$jar" ] || exit 1
done
tar --create --directory /opt/mesosflow --file - -- "$name"
