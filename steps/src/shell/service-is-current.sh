# Whether the daemon runs under the deployed unit and configuration, and will after a reboot. Needs `is_loaded`.
# var unit: the unit
# var units: the folder of the file that is laid as it
# var config: the folders of its configuration
# after service-stamp
systemctl is-active --quiet "$unit" || exit 1
systemctl is-enabled --quiet "$unit" || exit 1
is_loaded "$unit" || exit 1
cmp --silent "$units/$unit" "/etc/systemd/system/$unit" || exit 1
[ "$(cat "$file" 2>/dev/null)" = "$(stamp)" ] || exit 1
