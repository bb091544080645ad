# Prints the address of the leading master if it has every one of the slaves by its address, and as many active ones as there are
# slaves; exit 1 otherwise.
# var masters: the addresses of the masters
# var port: of the masters
# var slaves: their addresses
# var wanted: how many there are
# after mesos-leads
for address in $masters; do
  leads || continue
  state=$(curl -fsS --max-time 5 "http://$address:$port/state" 2>/dev/null) || continue
  for slave in $slaves; do
    case $state in *"slave(1)@$slave:5051"*) ;; *) exit 1 ;; esac
  done
  active=$(printf %s "$metrics" | sed -n 's/.*"master[\\]*\/slaves_active":\([0-9]*\).*/\1/p')
  [ "$active" = "$wanted" ] || exit 1
  echo "$address"; exit 0
done
exit 1
