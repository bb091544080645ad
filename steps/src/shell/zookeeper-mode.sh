# Prints what a server is; exit 1 while it belongs to no quorum. Asked by the four-letter word `srvr`; a server without a quorum
# answers without a mode.
# var address: the server's
# var port: its port
answer=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf srvr >&3 && cat <&3' "$address" "$port" 2>/dev/null) || exit 1
mode=$(printf '%s\n' "$answer" | sed -n 's/^Mode: //p')
[ -n "$mode" ] || exit 1
echo "$mode"
