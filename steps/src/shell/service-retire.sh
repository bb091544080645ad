# Stops a daemon until somebody starts it, with all that it has started: it does not come back with the next boot either. A unit of that
# name that is the user's own is left alone. Needs `is_our_unit`.
# var unit: the daemon's
# after aside
rm -f "/run/mesosflow/$unit.started"
[ -e "/etc/systemd/system/$unit" ] && is_our_unit "$unit" || exit 0
systemctl disable --quiet "$unit"
# An agent leaves its executors alone when it is stopped, for the next one to take over: here they end with it.
drop_in=/run/systemd/system/$unit.d
mkdir -p "$drop_in"
printf '[Service]\nKillMode=control-group\n' > "$drop_in/mesosflow-stop.conf"
systemctl daemon-reload
systemctl stop "$unit"
# What an earlier stop has left.
systemctl kill --kill-who=all --signal=SIGKILL "$unit" 2>/dev/null || true
[ "$unit" != mesos-slave.service ] || systemctl stop mesos_executors.slice 2>/dev/null || true
rm -f "$drop_in/mesosflow-stop.conf"
rmdir --ignore-fail-on-non-empty "$drop_in"
systemctl daemon-reload
