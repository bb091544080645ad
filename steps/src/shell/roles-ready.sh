# Whether a node has its role's files and units, and a cluster file (standard input) but for its epoch; and whether its boot script
# finds that cluster, and nothing to change: then the file's epoch. Needs `is_loaded`.
# var folder: of the roles' files
# var command: the boot script, as a command
# var units: the boot script's, by their names
# var cluster_file: where that file is
# var manifest: of the roles' files
# var path: where the daemons find the cluster
# var location: what has to stand there
wanted=$(grep -v '^epoch=')
[ "$(grep -v '^epoch=' "$cluster_file" 2>/dev/null)" = "$wanted" ] || exit 1
cd "$folder" 2>/dev/null || exit 1
printf '%s' "$manifest" | sha256sum --check --status --strict - 2>/dev/null || exit 1
[ "$(readlink "$command" 2>/dev/null)" = "$folder/mesosflow-role" ] && [ -x "$command" ] || exit 1
for unit in $units; do
  cmp --silent "units/$unit" "/etc/systemd/system/$unit" || exit 1
  is_loaded "$unit" || exit 1
done
systemctl is-enabled --quiet mesosflow-role.service mesosflow-role-again.timer || exit 1
systemctl is-active --quiet mesosflow-role.service mesosflow-role-again.timer || exit 1
[ "$(cat "$path" 2>/dev/null)" = "$location" ] || exit 1
found=$("$command" --dry-run 2>/dev/null) || exit 1
[ "${found##*
}" = "nothing would change" ] || exit 1
sed -n 's/^epoch=//p' "$cluster_file"
