# Prints whether a driver of Spark's can talk to the Mesos of this node: `yes` or `no`; nothing where there is no Spark. Both through the
# library that spark-env.sh names.
[ -x /root/spark/bin/spark-submit ] || exit 0
if grep --quiet --fixed-strings --text -- 'Java_org_apache_mesos_MesosSchedulerDriver_initialize' /root/mesos/lib/libmesos.so 2>/dev/null; then
  echo yes
else
  echo no
fi
