# ---- What may be believed ----

# Prints the facts of standard input that mesosflow knows, if all of them can be what they are meant to be; else why not, and 1.
# `believed WHAT`, which is: whole, a file that has to be all there; said, by a source that says its epoch; each, facts of the node's own.
believed() {
  awk -v what="$1" '
    # Of nine digits: shells count in as little as 32 bits, and an epoch that nothing can follow is none.
    function is_number(t) { return t ~ /^(0|[1-9][0-9]*)$/ && length(t) <= 9 }
    function is_address(t,   part, i) {
      if (split(t, part, ".") != 4) return 0
      for (i = 1; i <= 4; i++)
        if (part[i] !~ /^[0-9]+$/ || length(part[i]) > 3 || part[i] ~ /^0./ || part[i] + 0 > 255) return 0
      return part[1] + 0 > 0 && part[1] != 127 && part[1] + 0 < 224 && !(part[1] == 169 && part[2] == 254)
    }
    function is_name(t) {
      return length(t) <= 253 && t ~ /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/ && t !~ /[.][.]/ && t !~ /^[0-9.]+$/
    }
    function is_host(t) { return is_address(t) || is_name(t) }
    function is_place(t,   part) {
      return split(t, part, ":") == 2 && is_host(part[1]) && is_number(part[2]) && part[2] + 0 > 0 && part[2] + 0 < 65536
    }
    function are_places(t,   part, i, n) {
      n = split(t, part, ",")
      for (i = 1; i <= n; i++) if (!is_place(part[i]) || seen[t, part[i]]++) return 0
      return n > 0 && n < 20
    }
    function is_path(t) { return t ~ /^\/[A-Za-z0-9._\/-]*$/ && t !~ /\/\.\.?(\/|$)/ }
    function are_paths(t,   part, i, n) {
      n = split(t, part, ",")
      for (i = 1; i <= n; i++) if (!is_path(part[i])) return 0
      return n > 0
    }
    function is_flag(t) { return t ~ /^--[a-z][a-z0-9_-]*(=.*)?$/ && t !~ /[\001-\037\177]/ }
    function can_be(key, t) {
      if (key == "cluster") return length(t) <= 64 && t ~ /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/
      if (key == "epoch") return is_number(t)
      if (key == "masters") return is_number(t) && t + 0 > 0 && t + 0 < 100
      if (key == "provider") return t ~ /^[a-z][a-z0-9-]*$/
      if (key == "role") return t == "mesos-master" || t == "mesos-slave"
      if (key == "name" || key == "first_master_name" || key == "dns_domain" || key == "dns_name") return is_name(t)
      if (key == "ip" || key == "public_ip" || key == "first_master" || key == "instead_of") return is_address(t)
      if (key == "public_name") return is_name(t)
      if (key == "zone" || key == "type") return length(t) <= 64 && t ~ /^[a-z0-9][a-z0-9.-]*$/
      if (key == "public") return is_host(t)
      if (key == "zookeepers") return t == "" || are_places(t)
      if (key == "master") return t == "" || is_place(t)
      if (key == "mesos_home" || key == "java_home") return is_path(t)
      if (key == "folders") return are_paths(t)
      if (key == "master_flag" || key == "agent_flag") return is_flag(t)
      return -1
    }
    function shown(t) { gsub(/[^ -~]/, "?", t); return length(t) > 60 ? substr(t, 1, 60) "..." : t }
    function refuse(why) { print why > "/dev/stderr"; refused = 1; exit 1 }
    BEGIN { lines = 0 }
    { last = $0; lines++ }
    what == "whole" && NR == 1 { if ($0 != "# mesosflow cluster 1") refuse("does not begin with `# mesosflow cluster 1`"); next }
    /^#/ || /^$/ { next }
    {
      at = index($0, "=")
      if (at < 2) refuse("says `" shown($0) "`, which is no fact")
      key = substr($0, 1, at - 1); text = substr($0, at + 1)
      is = can_be(key, text)
      if (is == -1) next
      if (length(text) > 4096) refuse("says " length(text) " letters for " key)
      if (!is) refuse("says " key "=`" shown(text) "`, which it cannot be")
      if (had[key]++ && key !~ /_flag$/) refuse("says " key " more than once")
      out[++n] = key "=" text
    }
    END {
      if (refused) exit 1
      if (what == "whole" && (lines < 2 || last != "# end")) refuse("does not end with `# end`: it is not whole")
      if (what != "each" && !had["epoch"]) refuse("says no epoch")
      if (what == "whole" && !had["cluster"]) refuse("names no cluster")
      if (what == "whole" && !had["role"]) refuse("names no role")
      for (i = 1; i <= n; i++) print out[i]
    }'
}

# Takes what a source said, from $work/raw; where it cannot be believed, what it said before stays: `take SOURCE WHAT`. The facts of all
# sources are below $work.
take() {
  size=$(wc -c < "$work/raw")
  if [ "$size" -gt 65536 ]; then
    refuse "$1" "is $size bytes long"
  # What awk makes of them differs.
  elif [ "$(tr -d '\000' < "$work/raw" | wc -c)" -ne "$size" ]; then
    refuse "$1" "has bytes of zero"
  elif believed "$2" < "$work/raw" > "$work/$1" 2> "$work/why"; then
    [ "$1" != file ] || ! is_of_another || forget tags own dns published force
    remember "$1"
  else
    refuse "$1" "$(cat "$work/why")"
  fi
}
# Whoever writes the cluster file is root. Where its epochs begin anew, or it has another cluster or role, others have said nothing yet.
is_of_another() {
  [ -s "$memory/file" ] || return 1
  [ "$(fact "$work/file" epoch)" -lt "$(fact "$memory/file" epoch)" ] ||
    [ "$(fact "$work/file" cluster)" != "$(fact "$memory/file" cluster)" ] ||
    [ "$(fact "$work/file" role)" != "$(fact "$memory/file" role)" ]
}
# What a source says cannot be, or it is silent.
refused_file=
refuse() {
  [ "$1" != file ] || refused_file=yes
  if [ -s "$memory/$1" ]; then
    cp "$memory/$1" "$work/$1"
    state "$1" "refused: $(called "$1") $2; what was said before stays"
  else
    rm -f "$work/$1"
    state "$1" "refused: $(called "$1") $2"
  fi
}
remember() {
  [ "$mode" != dry ] || return 0
  mkdir -p "$memory"
  cmp -s "$work/$1" "$memory/$1" || replace "$memory/$1" < "$work/$1"
  over "$1"
}
forget() {
  for source in "$@"; do
    rm -f "$work/$source"
    over "$source"
    [ "$mode" = dry ] || rm -f "$memory/$source"
  done
  # For what is left of this run.
  [ "$mode" != dry ] || [ "$#" -eq 1 ] || memory=$work/none
}
called() {
  case $1 in
    file) echo "$cluster_file" ;;
    tags) echo "EC2's metadata" ;;
    dns) echo DNS ;;
    published) echo "what ZooKeeper has of the first master" ;;
  esac
}
# Puts standard input in a file's place, in one move. What cannot be written whole is not put there.
replace() {
  new=${1%/*}/.mesosflow-new
  : > "$new" && if [ -e "$1" ] && [ ! -h "$1" ]; then chmod "$(stat -c %a "$1")" "$new" && chown "$(stat -c %u:%g "$1")" "$new"; else chmod 644 "$new"; fi &&
    cat > "$new" && { sync "$new" 2>/dev/null || :; } && mv -fT "$new" "$1"
}

