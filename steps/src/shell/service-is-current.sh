# Whether the daemon runs under the deployed unit and configuration, and will after a reboot. Needs `is_loaded`.
# var unit: the unit
# var units: the folder of the file that is laid as it
# var config: the folders of its configuration
# after service-stamp
systemctl is-active --quiet "$unit" || exit 1
systemctl is-enabled --quiet "$unit" || exit 1
is_loaded "$unit" || exit 1
cmp --silent "$units/$unit" "/etc/systemd/system/$unit" || exit 1
if [ -e "$file" ]; then
  [ "$(cat "$file")" = "$(stamp)" ] || exit 1
  exit 0
fi
# The node has booted since: the daemon runs with what lay there when it started.
since=$(systemctl show --property ExecMainStartTimestamp --value -- "$unit")
since=$(date --date "$since" +%s)
# shellcheck disable=SC2086 # several folders
newer=$(find "$units/$unit" "/etc/systemd/system/$unit" $config /etc/mesosflow/node.env -type f ! -name slaves -newerct "@$since" -print -quit)
[ -z "$newer" ] || exit 1
