# Functions. `down` prints a line for each daemon of this node that starts by itself and does not run: which, and for want of
# which disks.
# after on-disk
down() {
  for file in /root/mesos-ec2/units/*.service /opt/mesosflow/roles/units/*.service; do
    unit=${file##*/}
    [ -e "/etc/systemd/system/multi-user.target.wants/$unit" ] || continue
    state=$(systemctl is-active "$unit") && continue
    disks=$(missing_for "$unit" | tr '\n' ' ')
    echo "$unit is $state${disks:+: not mounted: ${disks% }}"
  done
}
