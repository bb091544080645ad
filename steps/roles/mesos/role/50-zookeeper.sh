# ---- ZooKeeper's own protocol, by bash's connections: https://zookeeper.apache.org/doc/r3.8.0/zookeeperInternals.html ----

int() { printf '%08x' "$1"; }
bytes() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }
text() { printf '%08x%s' "${#1}" "$(bytes "$1")"; }
packet() { printf '%08x%s' "$((${#1} / 2))" "$1"; }
# A session of its own: the requests in hexadecimal, then the end, after which the server closes. Prints what it said, in hexadecimal.
session() {
  hello=$(packet "$(int 0)0000000000000000$(int 4000)0000000000000000$(int 16)0000000000000000000000000000000000")
  all="$hello$3$(packet "$(int 99)fffffff5")"
  # shellcheck disable=SC2016 # It is bash's to expand.
  timeout 3 bash -c 'exec 3<> "/dev/tcp/$1/$2" && printf "$3" >&3 && cat <&3' bash "$1" "$2" \
    "$(printf '%s' "$all" | sed 's/../\\x&/g')" 2>/dev/null | od -An -v -tx1 | tr -d ' \n'
}
# The error and the rest of the answer to a request with a number: `ERROR HEX`; nothing where there is none.
answer() {
  awk -v hex="$1" -v xid="$(int "$2")" '
    function number(t,   i, n) { n = 0; for (i = 1; i <= length(t); i++) n = n * 16 + index("0123456789abcdef", substr(t, i, 1)) - 1; return n }
    BEGIN {
      first = 1
      for (at = 1; at + 8 <= length(hex); at += 8 + size) {
        size = number(substr(hex, at, 8)) * 2
        if (at + 8 + size - 1 > length(hex)) exit
        if (!first && size >= 32 && substr(hex, at + 8, 8) == xid) {
          error = number(substr(hex, at + 32, 8))
          if (error >= 2147483648) error -= 4294967296
          print error, substr(hex, at + 40, size - 32)
          exit
        }
        first = 0
      }
    }'
}
unhex() {
  printf '%b' "$(printf '%s' "$1" | awk '{
    for (i = 1; i < length($0); i += 2)
      out = out sprintf("\\0%03o", (index("0123456789abcdef", substr($0, i, 1)) - 1) * 16 + index("0123456789abcdef", substr($0, i + 1, 1)) - 1)
    print out
  }')"
}
each_zookeeper() { printf '%s\n' "$zookeepers" | tr , '\n'; }
node_path() { echo "/mesosflow/$cluster"; }

# Asks all servers at the same time, none longer than a session may last: `ask_zookeeper REQUESTS NUMBER`. The answer to the request of
# that number is in $found, the first one that there is; 1 where there is none.
ask_zookeeper() {
  rm -f "$work"/heard.*
  count=0
  for place in $(each_zookeeper); do
    count=$((count + 1))
    answer "$(session "${place%:*}" "${place##*:}" "$1")" "$2" > "$work/heard.$count" 2>/dev/null 9>&- &
  done
  wait
  for heard in "$work"/heard.*; do
    [ -s "$heard" ] || continue
    found=$(cat "$heard")
    return 0
  done
  return 1
}
# What the first master has published, into $work/raw; 1 where none of the servers answers or it has published nothing.
read_published() {
  ask_zookeeper "$(packet "$(int 1)$(int 4)$(text "$(node_path)")00")" 1 || return 1
  case $found in '0 '*) ;; *) return 1 ;; esac
  found=${found#0 }
  length=$((0x$(printf '%s' "$found" | cut -c 1-8)))
  if [ "$length" -gt 1024 ]; then
    printf 'it is %s bytes long\n' "$length" > "$work/raw"
  else
    unhex "$(printf '%s' "$found" | cut -c 9-$((8 + length * 2)))" > "$work/raw"
  fi
}
publish() {
  data=$(printf 'epoch=%s\nfirst_master=%s\nfirst_master_name=%s\ninstead_of=%s' "$epoch" "$ip" "$name" "$(fact "$work/file" first_master)")
  anyone="$(int 1)$(int 31)$(text world)$(text anyone)"
  requests="$(packet "$(int 1)$(int 1)$(text /mesosflow)$(int 0)$anyone$(int 0)")"
  requests="$requests$(packet "$(int 2)$(int 1)$(text "$(node_path)")$(text "$data")$anyone$(int 0)")"
  requests="$requests$(packet "$(int 3)$(int 5)$(text "$(node_path)")$(text "$data")ffffffff")"
  ask_zookeeper "$requests" 3 || return 1
  case $found in '0 '*) return 0 ;; *) return 1 ;; esac
}

