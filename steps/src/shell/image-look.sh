# What there is of the cluster on this node, a line each, before anything is touched: `job ID` for each job that runs, `path P` for each path
# of the list, `disk SOURCE MOUNT` for each disk that is only let go of, `mesos` where Mesos lies in its place.
# var removed: paths and patterns: what goes
# var data: what goes where it is on the root disk
# var edited: what is changed
# var ephemeral: options of ephemeral disks in fstab
# var volume: those of the volume
# var driver: the driver's key
# after image-functions
for lock in /var/lib/mesosflow/jobs/*/lock; do
  [ -e "$lock" ] || continue
  flock --shared --nonblock "$lock" true && continue
  job=${lock%/lock}
  echo "job ${job##*/}"
done
# The patterns are meant to become paths.
for path in $removed $edited; do
  if [ -e "$path" ] || [ -h "$path" ]; then echo "path $path"; fi
done
for path in $data; do
  if [ -e "$path" ] && on_root_disk "$path"; then echo "path $path"; fi
done
ours_in_fstab | while read -r source mount type; do
  case $type in ext4 | xfs) echo "disk $source $mount" ;; esac
done
if [ -x /root/mesos/sbin/mesos-master ]; then echo mesos; fi
