# Asks the leading master, which is found anew each time. Two lines for each path: that master's address, the HTTP status and what
# curl ended with; then what came back, without its line ends. Exit 1 where no master leads. Standard input: what is posted.
# var masters: the addresses of the masters
# var port: of the masters
# var method: GET or POST
# var paths: what is asked for
# var seconds: how long one answer may take
# after mesos-leads
posted=$(cat)
set -- --silent --show-error --noproxy '*' --max-time "$seconds" --request "$method"
[ "$method" = GET ] || set -- "$@" --header 'Content-Type: application/json' --data-binary @-
for address in $masters; do
  leads || continue
  for path in $paths; do
    said=$(printf %s "$posted" | curl "$@" --write-out '\n%{http_code}' "http://$address:$port$path" 2>&1) && ended=0 || ended=$?
    echo "$address $(printf '%s\n' "$said" | tail -n 1) $ended"
    printf '%s\n' "$said" | sed '$d' | tr -d '\r\n'
    echo
  done
  exit 0
done
exit 1
