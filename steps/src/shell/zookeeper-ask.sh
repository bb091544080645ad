# Sends bytes to a ZooKeeper server and prints all that it answers, in hexadecimal; exit 1 where it answers nothing.
# var address: the server's
# var port: its port
# var request: the bytes, as printf takes them; the last of them ask the server to hang up
answer=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf "$2" >&3 && od -An -v -tx1 <&3' \
  "$address" "$port" "$request" 2>/dev/null) || exit 1
[ -n "$answer" ] || exit 1
printf '%s\n' "$answer"
