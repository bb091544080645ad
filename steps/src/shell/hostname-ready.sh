# Whether a node has its name, and the others', and will at the next boot.
# var names_file: the script that puts the names into /etc/hosts
# var names_text: that script
# var names_unit: the unit that runs it
# var unit_text: that unit
# var name: the node's
# var address: its private one
# var public: the one that people reach it by
# after hostname-common
[ "$(uname -n)" = "$name" ] && [ "$(cat /etc/hostname)" = "$name" ] || exit 1
[ "$(sed -n "/^$begin/,/^$end/p" /etc/hosts)" = "$(printf '%s\n%s\n%s' "$begin" "$block" "$end")" ] || exit 1
[ "$(cat /etc/mesosflow/hosts 2>/dev/null)" = "$block" ] || exit 1
[ "$(cat "$names_file" 2>/dev/null)" = "$names_text" ] || exit 1
[ "$(cat "/etc/systemd/system/$names_unit" 2>/dev/null)" = "$unit_text" ] || exit 1
systemctl is-enabled --quiet "$names_unit" || exit 1
[ "$(cat /etc/mesosflow/node.env 2>/dev/null)" = "$env" ] || exit 1
