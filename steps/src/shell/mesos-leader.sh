# Prints the address of the master that leads; exit 1 where none does.
# var masters: the addresses of the masters
# var port: of the masters
# after mesos-leads
for address in $masters; do
  if leads; then echo "$address"; exit 0; fi
done
exit 1
