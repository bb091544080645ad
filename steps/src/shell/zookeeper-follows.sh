# Prints what a server is, and of a leader how many servers follow it that have all it has; exit 1 while it serves nobody. Asked by the
# four-letter word `mntr`.
# var address: the server's
# var port: its port
answer=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf mntr >&3 && cat <&3' "$address" "$port" 2>/dev/null) || exit 1
printf '%s\n' "$answer" | awk '
  $1 == "zk_server_state" { state = $2 }
  $1 == "zk_synced_followers" { synced = int($2) }
  END { if (state == "") exit 1; print state, synced + 0 }'
