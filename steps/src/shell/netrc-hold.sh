# Keeps standard input as .netrc in a folder of root's.
# var place: where such files are, each in a folder of its own
# var folder: this one's
umask 077
mkdir -p -m 700 "$place"
mkdir -p "$folder"
cat > "$folder/.netrc"
