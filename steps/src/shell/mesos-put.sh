# Functions. `put TREE` puts a tree that says where it came from in Mesos' place.
# after aside
put() {
  make_way /root/mesos
  rm -rf /root/.mesosflow-mesos.old
  [ ! -e /root/mesos ] || mv -T /root/mesos /root/.mesosflow-mesos.old
  mv -T "$1" /root/mesos
  rm -rf /root/.mesosflow-mesos.old
}
