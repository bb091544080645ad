# Names the node, now and at each boot, and has a unit put the others' names back at each boot.
# var name: the node's
# var address: its private one
# var public: the one that people reach it by
# var is_listed: yes: the host is its owner's, who is told what it was called
# var names_file: the script that puts the names into /etc/hosts
# var names_text: that script
# var names_unit: the unit that runs it
# var unit_text: that unit
# after aside, hostname-common
before=$(cat /etc/hostname 2>/dev/null) || before=
if [ "$is_listed" = yes ] && [ -n "$before" ] && [ "$before" != "$name" ]; then
  told "the host name was $before"
fi
printf '%s\n' "$name" > /etc/hostname
hostname -- "$name"
place() {
  printf '%s\n' "$2" > "$1.new"
  mv -fT "$1.new" "$1"
}
mkdir -p /etc/mesosflow
place /etc/mesosflow/node.env "$env"
place /etc/mesosflow/hosts "$block"
place "$names_file" "$names_text"
sh "$names_file"
printf '%s\n' "$unit_text" > /etc/mesosflow/unit.new
lay_file /etc/mesosflow/unit.new "/etc/systemd/system/$names_unit"
rm -f /etc/mesosflow/unit.new
systemctl daemon-reload
systemctl enable --quiet "$names_unit"
