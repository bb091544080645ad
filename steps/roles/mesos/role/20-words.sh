# ---- Words ----

# Notices are kept in the unit's journal, whose `Starting` and `Finished` are not.
mark=
[ "${JOURNAL_STREAM-}" != "$(stat -Lc %d:%i "/proc/$$/fd/2" 2>/dev/null)" ] || mark='<5>'
say() { printf '%s%s\n' "$mark" "$1" >&2; }
# One line a state, however often it is found to last: `state SUBJECT TEXT`.
state() {
  if [ "$mode" = dry ]; then say "$2"; return 0; fi
  [ "$(cat "$run/said/$1" 2>/dev/null)" != "$2" ] || return 0
  say "$2"
  mkdir -p "$run/said"
  printf '%s\n' "$2" > "$run/said/$1"
}
# That state is over.
over() { [ "$mode" = dry ] || rm -f "$run/said/$1"; }
# The value of a key in a file of facts, its last one; nothing where there is none. Asked often: nothing is started for it.
fact() {
  value=
  [ ! -f "$1" ] || while IFS= read -r fact_line; do
    case $fact_line in "$2="*) value=${fact_line#*=} ;; esac
  done < "$1"
  printf '%s\n' "$value"
}
