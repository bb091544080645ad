# Keeps the ports of the daemons from the connections that the node itself opens: those get any port of a range in which Hadoop's are,
# and hold it for a minute after their end, in which a daemon cannot be started. What somebody else keeps stays kept.
# var ports: of the daemons
# var kept: the file that says so at boot
reserved=/proc/sys/net/ipv4/ip_local_reserved_ports
if [ -e "$kept" ]; then was=$(sed -n 's/^# was //p' "$kept"); else was=$(cat "$reserved"); fi
all=$(printf %s "$ports" | tr ' ' ,)
[ -z "$was" ] || all=$was,$all
mkdir -p -- "$(dirname -- "$kept")"
printf '# was %s\nnet.ipv4.ip_local_reserved_ports = %s\n' "$was" "$all" > "$kept.new"
printf '%s\n' "$all" > "$reserved"
mv -- "$kept.new" "$kept"
