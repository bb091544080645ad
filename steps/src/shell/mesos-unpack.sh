# Unpacks the tarball in Mesos' place. The tree of `make install` may stand at the top of the tarball or in folders of its own
# (`mesos-1.11.0/`, a prefix).
# var place: the folder that it is put in
# var file: the tarball
# var mark: what says where it came from
# after aside, mesos-put
rm -rf /root/.mesosflow-mesos.new
mkdir /root/.mesosflow-mesos.new
tar --extract --no-same-owner --directory /root/.mesosflow-mesos.new --file "$file"
master=$(cd /root/.mesosflow-mesos.new && find . -path '*/sbin/mesos-master' | sort | head -n 1)
[ -n "$master" ] || { echo 'the tarball holds no sbin/mesos-master' >&2; exit 4; }
master=${master#./}
top=/root/.mesosflow-mesos.new
[ "$master" = sbin/mesos-master ] || top=$top/${master%/sbin/mesos-master}
printf '%s\n' "$mark" > "$top/.mesosflow-source"
put "$top"
rm -rf /root/.mesosflow-mesos.new
