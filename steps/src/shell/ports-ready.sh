# Whether no connection that the node opens gets a port of its daemons, now and after a boot.
# var ports: of the daemons
# var kept: the file that says so at boot
reserved=/proc/sys/net/ipv4/ip_local_reserved_ports
[ -e "$reserved" ] || exit 0
[ -e "$kept" ] || exit 1
# Neighbours are told as a range.
awk -v wanted="$ports" '
  { count = split($0, ranges, ",")
    for (i = 1; i <= count; i++) {
      ends = split(ranges[i], range, "-")
      for (port = range[1] + 0; port <= range[ends] + 0; port++) has[port] = 1
    } }
  END { count = split(wanted, each, " "); for (i = 1; i <= count; i++) if (!(each[i] in has)) exit 1 }' "$reserved"
