# Prints those of the addresses where a datanode answers.
# var addresses: with spaces between them
# var page: the port of a datanode's web interface
for address in $addresses; do
  # What it says does not matter.
  ! curl -s -o /dev/null --max-time 5 "http://$address:$page/" || echo "$address"
done
