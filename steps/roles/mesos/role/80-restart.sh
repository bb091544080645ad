# ---- What is started anew ----

has_systemd() { [ -d /run/systemd/system ]; }
is_active() { has_systemd && systemctl is-active --quiet "$1"; }
# Its jobs wait for the unit that this may be a part of: nothing here waits for them.
restart() {
  is_active "$1" || return 0
  if [ "$mode" = dry ]; then say "would restart $1: $2"; return 0; fi
  say "restarting $1: $2"
  systemctl --no-block try-restart "$1"
}
concerned() { case " $changed " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }
start_mesos_anew() {
  if concerned master || { concerned zk && [ "$role" = mesos-master ]; }; then restart mesos-master.service "its flags are others"; fi
  if concerned agent || { concerned zk && [ "$role" = mesos-slave ]; }; then
    if is_active mesos-slave.service && has_unsaved_tasks; then
      state agent "mesos-slave.service is not restarted, although its flags are others: tasks would be lost that keep no checkpoints. Once they have ended: systemctl restart mesos-slave"
    else
      restart mesos-slave.service "its flags are others"
    fi
  fi
  return 0
}
start_anew() {
  ! concerned unit || [ "$mode" = dry ] || ! has_systemd || systemctl daemon-reload
  # Several nodes at once would be too many: whoever has it written starts them when it is their turn.
  [ "$mode" = write ] || start_mesos_anew
  if concerned hdfs || { [ -n "$was" ] && [ "$was" != "$ip" ]; }; then
    for unit in ephemeral-hdfs-namenode persistent-hdfs-namenode persistent-hdfs-secondarynamenode ephemeral-hdfs-datanode persistent-hdfs-datanode \
      mesosflow-spark-history; do
      restart "$unit.service" "an address is another"
    done
  fi
  ! concerned export || restart mesosflow-nfs-ganesha.service "its address is another"
  if concerned volume && has_systemd && [ -e /etc/systemd/system/mesosflow-shared-volume.service ]; then
    if [ "$mode" = dry ]; then say "would mount /mnt/nfs anew"; return 0; fi
    systemctl daemon-reload
    if is_active mnt-nfs.mount || is_active mnt-nfs.automount; then
      say "mounting /mnt/nfs anew"
      timeout 30 systemctl stop mesosflow-shared-volume.service mnt-nfs.automount 2>/dev/null || :
      timeout 20 umount --lazy /mnt/nfs 2>/dev/null || :
      systemctl reset-failed mnt-nfs.mount mnt-nfs.automount 2>/dev/null || :
      [ ! -c /dev/autofs ] || systemctl --no-block start mnt-nfs.automount
      systemctl --no-block start mesosflow-shared-volume.service
    fi
  fi
}
# What the boot has gone by without, since nothing was known yet: `start_late` starts it, where whoever set the node up wants it to.
late=$run/late
go_on_without() {
  state waiting "$1: the boot goes on, and this waits beside it"
  : > "$late"
  ! has_systemd || systemctl --no-block start mesosflow-role-again.service
}
start_late() {
  [ "$mode" != dry ] && [ -e "$late" ] && has_systemd || return 0
  for unit in mesos-master mesos-slave ephemeral-hdfs-namenode persistent-hdfs-namenode persistent-hdfs-secondarynamenode ephemeral-hdfs-datanode \
    persistent-hdfs-datanode mesosflow-spark-history mesosflow-nfs-ganesha mesosflow-shared-volume; do
    if systemctl is-enabled --quiet "$unit.service" 2>/dev/null && ! is_active "$unit.service"; then
      say "starting $unit.service"
      systemctl reset-failed "$unit.service" 2>/dev/null || :
      systemctl --no-block start "$unit.service"
    fi
  done
  rm -f "$late"
}

