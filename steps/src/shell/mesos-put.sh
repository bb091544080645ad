# Functions. `put TREE` puts a tree that says where it came from in Mesos' place.
# needs place: the folder that it has there
# after aside
put() {
  make_way "$place"
  rm -rf /root/.mesosflow-mesos.old
  [ ! -e "$place" ] || mv -T "$place" /root/.mesosflow-mesos.old
  mv -T "$1" "$place"
  rm -rf /root/.mesosflow-mesos.old
}
