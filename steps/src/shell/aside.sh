# Functions for scripts that put something in its place.
#
# A folder is ours if it says where it came from, or if it is the very one that was laid claim to, by its number in the file
# system, when it was made (numbers are used again) and what it is. Not by its device's number, which another boot may change. A
# file is ours if it has a content that was written here. An empty folder is nobody's. What is moved is written down until it has
# been told.
# sets laid: the folder of what was written down
laid=/var/lib/mesosflow/laid
claim_of() { echo "$laid/$(printf '%s' "${1#/root/}" | tr / .)"; }
nature() { LC_ALL=C TZ=UTC stat -c '%i %w %F' "$1"; }
sum() { sha256sum < "$1" | cut -d ' ' -f 1; }
is_ours() {
  [ -e "$1/.mesosflow-source" ] && return 0
  grep --quiet --line-regexp --fixed-strings -e "$(nature "$1")" "$(claim_of "$1")" 2>/dev/null
}
is_written() {
  [ ! -h "$1" ] && [ -f "$1" ] &&
    grep --quiet --line-regexp --fixed-strings -e "$(sum "$1")" "$(claim_of "$1").written" 2>/dev/null
}
told() { mkdir -p "$laid"; { flock 9; echo "$1" >> "$laid/aside"; } 9> "$laid/aside.lock"; }
make_way() {
  [ -e "$1" ] || [ -h "$1" ] || return 0
  if is_ours "$1" || rmdir -- "$1" 2>/dev/null; then return 0; fi
  to=$1.$(date -u +%Y%m%d-%H%M%S)
  while [ -e "$to" ] || [ -h "$to" ]; do to=$to.1; done
  mv -T "$1" "$to"
  told "$1 is now $to"
}
# Lays claim to what is at the first path, for the time when it will be at the second one.
lay_claim() {
  mkdir -p "$laid"
  nature "$1" >> "$(claim_of "$2")"
}
# Puts the first file in the second one's place.
lay_file() {
  if [ -h "$2" ] || [ -e "$2" ] && ! is_written "$2" && ! cmp --silent "$1" "$2"; then make_way "$2"; fi
  mkdir -p "$laid"
  sum "$1" >> "$(claim_of "$2").written"
  install -D -m 644 "$1" "$2.mesosflow"
  mv -T "$2.mesosflow" "$2"
}
# Prints the table of mounts without the lines for a mount point: those of ours, which match the pattern, go, others stay as
# comments.
mounts_without() {
  awk -v mount="$1" -v ours="$2" '$1 !~ /^#/ && $2 == mount && $0 !~ ours { print "/etc/fstab: `" $0 "` is a comment now" }' \
    /etc/fstab | while IFS= read -r line; do told "$line"; done
  awk -v mount="$1" -v ours="$2" '$1 ~ /^#/ || $2 != mount { print; next } $0 !~ ours { print "# before mesosflow: " $0 }' /etc/fstab
}
