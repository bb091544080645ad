# Stops a daemon until somebody starts it: it does not come back with the next boot either.
# var unit: the daemon's
rm -f "/run/mesosflow/$unit.started"
[ -e "/etc/systemd/system/$unit" ] || exit 0
systemctl disable --quiet "$unit"
systemctl stop "$unit"
