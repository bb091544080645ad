# Lays the units of the boot script and the cluster file, which is standard input, and has the boot script write what it finds. Its
# units start with the next boot, and the one that looks for another address at once. Those of the daemons are laid by who starts them.
# var folder: of the roles' files
# var units_folder: of the units among them
# var command: the boot script, as a command
# var units: the boot script's, by their names
# var cluster_file: where that file goes
# var how: `--once` where the boot script starts daemons anew whose flags are others, `--write` where others do
# after aside
for unit in $units; do lay_file "$units_folder/$unit" "/etc/systemd/system/$unit"; done
if [ "$(readlink "$command" 2>/dev/null)" != "$folder/mesosflow-role" ]; then
  make_way "$command"
  mkdir -p "$(dirname "$command")"
  ln -sfT "$folder/mesosflow-role" "$command"
fi
mkdir -p "$(dirname "$cluster_file")"
cat > "$cluster_file.new"
sync "$cluster_file.new"
mv -fT "$cluster_file.new" "$cluster_file"
systemctl daemon-reload
systemctl enable --quiet mesosflow-role.service mesosflow-role-again.timer
"$command" "$how"
systemctl start mesosflow-role.service mesosflow-role-again.timer
