# ---- Words ----

# Notices are kept in the unit's journal, whose `Starting` and `Finished` are not.
mark=
[ -z "${JOURNAL_STREAM-}" ] || mark='<5>'
say() { printf '%s%s\n' "$mark" "$1" >&2; }
# One line a state, however often it is found to last: `state SUBJECT TEXT`.
state() {
  if [ "$mode" = dry ]; then say "$2"; return 0; fi
  [ "$(cat "$run/said/$1" 2>/dev/null)" != "$2" ] || return 0
  say "$2"
  mkdir -p "$run/said"
  printf '%s\n' "$2" > "$run/said/$1"
}
# The value of a key in a file of facts, its last one; nothing where there is none.
fact() { sed -n "s/^$2=//p" "$1" 2>/dev/null | tail -n 1; }

