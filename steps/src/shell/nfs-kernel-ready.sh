# Whether the kernel exports what was deployed, now and after a reboot. Needs `is_loaded`.
# var drop_in: the addition to the system's own unit
# var exported: where it is kept what was exported
cmp --silent /root/mesos-ec2/nfs/exports /etc/exports.d/mesosflow.exports || exit 1
cmp --silent /root/mesos-ec2/nfs/nfs-server.conf "$drop_in" || exit 1
systemctl is-enabled --quiet nfs-server && systemctl is-active --quiet nfs-server || exit 1
is_loaded nfs-server || exit 1
[ "$(cat "$exported" 2>/dev/null)" = "$(sha256sum < /etc/exports.d/mesosflow.exports)" ] || exit 1
