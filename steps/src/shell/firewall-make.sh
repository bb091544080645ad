# Loads the table, now and at each boot. The rules are tried before anything is put in place: a kernel without nf_tables says so
# here.
# var file: of the rules
# var unit: the name of the unit that loads them
# var addition: the addition to nftables' own unit
# var rules: the table
# var text: of the unit
# var added: the text of the addition
mkdir -p /etc/mesosflow
printf '%s\n' "$rules" > "$file.new"
nft --check -f "$file.new"
mv "$file.new" "$file"
printf '%s\n' "$text" > "/etc/systemd/system/$unit.new"
mv "/etc/systemd/system/$unit.new" "/etc/systemd/system/$unit"
mkdir -p "$(dirname "$addition")"
printf '%s\n' "$added" > "$addition.new"
mv "$addition.new" "$addition"
systemctl daemon-reload
systemctl enable --quiet "$unit"
systemctl restart "$unit"
