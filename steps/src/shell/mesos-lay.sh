# Puts the Mesos that waits in its place; the one of before is kept. The daemon that runs counts as one of before from now on,
# whatever its configuration: what dies behind this is begun anew.
# var unit: the daemon's
# var place: where Mesos is
# var next: the one that waits
# var former: where the one of before is kept
# after aside
mkdir -p /run/mesosflow
echo former > "/run/mesosflow/$unit.started"
if [ -e "$next" ]; then
  # Without a mark it is the image's, or somebody's.
  [ -e "$place/sbin/mesos-master" ] || make_way "$place"
  if [ -e "$place" ]; then
    rm -rf "$former"
    mv -T "$place" "$former"
  fi
  mv -T "$next" "$place"
fi
