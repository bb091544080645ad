# Prints the address of the leading master if it has every one of the slaves registered and active, by its address; exit 1 otherwise. Others
# may have joined them.
# var masters: the addresses of the masters
# var port: of the masters
# var slaves: their addresses
# after mesos-leads
for address in $masters; do
  leads || continue
  known=$(curl -fsS --max-time 5 "http://$address:$port/slaves" 2>/dev/null) || continue
  # In Mesos' answer `pid` comes before `active`; what was registered at an address before is no longer active.
  printf %s "$known" | awk -v slaves="$slaves" '
    BEGIN { RS = "\"pid\": *\"slave\\(1\\)@"; count = split(slaves, wanted, " ") }
    NR > 1 && match($0, /"active": *(true|false)/) && substr($0, RSTART, RLENGTH) ~ /true/ {
      active[substr($0, 1, index($0, "\"") - 1)] = 1
    }
    END { for (i = 1; i <= count; i++) if (!((wanted[i] ":5051") in active)) exit 1 }' || exit 1
  echo "$address"; exit 0
done
exit 1
