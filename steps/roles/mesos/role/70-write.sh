# ---- What is written ----

# What is to be started anew, also by the next one if this one is killed.
changed=
pending=$run/concerned
# Notes what a change concerns, before it is made.
concerns() {
  case " $changed " in *" $1 "*) return 0 ;; esac
  changed="$changed $1"
  [ "$mode" = dry ] || printf '%s\n' "$1" >> "$pending"
}
# Puts a text in a file's place where it is another: `put CONCERNS PATH TEXT`.
put() {
  if printf '%s\n' "$3" | cmp -s - "$2"; then return 0; fi
  concerns "$1"
  if [ "$mode" = dry ]; then say "would write $2: $(printf '%s' "$3" | tr '\n' ' ')"; return 0; fi
  mkdir -p "$(dirname "$2")"
  printf '%s\n' "$3" | replace "$2"
  say "wrote $2"
}
drop() {
  [ -e "$2" ] || return 0
  concerns "$1"
  if [ "$mode" = dry ]; then say "would remove $2"; return 0; fi
  rm -f -- "$2"
  say "removed $2"
}

sum() { sha256sum < "$1" | cut -d ' ' -f 1; }
# The flags that mesosflow wrote, in a list beside them: their names, and the digest of what was written.
written=.mesosflow
is_ours() { [ -f "$1/$written" ] && [ -f "$1/$2" ] && [ ! -h "$1/$2" ] && grep -qxF -- "$2 $(sum "$1/$2")" "$1/$written"; }
want() { printf '%s\t%s\n' "$1" "$2" >> "$work/flags"; }
# A flag as a line of the command: `--name=value`, `--name`.
want_flag() {
  flag=${1#--}
  case $flag in
    *=*) want "${flag%%=*}" "${flag#*=}" ;;
    *) want "?$flag" "" ;;
  esac
}
# The flags of the cluster file, under that key of it.
want_all() {
  sed -n "s/^$1=//p" "$work/file" > "$work/own-flags"
  while IFS= read -r line; do want_flag "$line"; done < "$work/own-flags"
}
# The last flag of each name, under whichever spelling, from $work/flags into $work/wanted.
last_of_each() {
  awk -F '\t' '
    { at = index($0, "\t"); bare = $1; sub(/^[?](no-)?/, "", bare); if (!(bare in name)) order[++n] = bare; name[bare] = $1; value[bare] = substr($0, at + 1) }
    END { for (i = 1; i <= n; i++) print name[order[i]] "\t" value[order[i]] }' "$work/flags" > "$work/wanted"
}
# Brings a folder to what is in $work/wanted: `flags CONCERNS FOLDER`. What somebody else put there, or changed, stays and counts.
flags() {
  folder=$2
  copy=$memory/written-${folder##*/}
  # Without its list, all of them would be somebody's own.
  [ "$mode" = dry ] || [ -e "$folder/$written" ] || [ ! -s "$copy" ] || [ ! -d "$folder" ] || replace "$folder/$written" < "$copy"
  : > "$work/list"
  : > "$work/ours"
  while IFS= read -r line; do
    flag=${line%%	*} value=${line#*	}
    bare=${flag#\?} bare=${bare#no-}
    theirs=
    for other in "$bare" "?$bare" "?no-$bare"; do
      [ -e "$folder/$other" ] || [ -h "$folder/$other" ] || continue
      is_ours "$folder" "$other" || theirs=$other
    done
    if [ -n "$theirs" ]; then
      if [ ! -f "$folder/$theirs" ]; then
        state "flag-$bare" "$folder/$theirs is somebody's own, and no file: it stays, and the flag $bare is missing"
      elif [ "$theirs" != "$flag" ] || [ "$(cat "$folder/$theirs" 2>/dev/null)" != "$value" ]; then
        state "flag-$bare" "$folder/$theirs is somebody's own: it stays, and counts"
      fi
      continue
    fi
    printf '%s %s\n' "$flag" "$(printf '%s\n' "$value" | sha256sum | cut -d ' ' -f 1)" >> "$work/list"
    printf '%s\n' "$line" >> "$work/ours"
  done < "$work/wanted"
  # The list first: a file that is there without its line would be somebody's own. Those that go stay in it until they are gone.
  if [ "$mode" != dry ]; then
    mkdir -p "$folder" "$memory"
    cat "$work/list" "$folder/$written" 2>/dev/null | sort -u > "$work/both"
    cmp -s "$work/both" "$folder/$written" || replace "$folder/$written" < "$work/both"
  fi
  while IFS= read -r line; do
    put "$1" "$folder/${line%%	*}" "${line#*	}"
  done < "$work/ours"
  cut -d ' ' -f 1 "$work/list" > "$work/listed"
  [ ! -f "$folder/$written" ] || while read -r flag _; do
    grep -qxF -e "$flag" "$work/listed" || ! is_ours "$folder" "$flag" || drop "$1" "$folder/$flag"
  done < "$folder/$written"
  if [ "$mode" != dry ]; then
    cmp -s "$work/list" "$folder/$written" || replace "$folder/$written" < "$work/list"
    cmp -s "$work/list" "$copy" || replace "$copy" < "$work/list"
  fi
}

# Takes away the flags that it has written into a folder.
leave_flags() {
  [ -f "$1/$written" ] || return 0
  while read -r flag _; do
    ! is_ours "$1" "$flag" || drop flags "$1/$flag"
  done < "$1/$written"
  rm -f "$1/$written"
  rmdir "$1" 2>/dev/null || :
}
# Takes away all that it has written. The flags' memory goes last: a kill leaves whose they are.
leave() {
  for folder in /etc/mesos /etc/mesos-master /etc/mesos-slave; do leave_flags "$folder"; done
  for path in /etc/systemd/system/mesos-slave.service.d/mesosflow.conf /etc/mesosflow/mesos.env /etc/mesosflow/node.env; do
    drop flags "$path"
  done
  rmdir /etc/systemd/system/mesos-slave.service.d /etc/mesosflow 2>/dev/null || :
  rm -rf -- "$memory"
  rmdir "${memory%/*}" 2>/dev/null || :
  rm -rf -- "$run"
}

# Whether tasks of the agent run: it says so itself or, where it does not answer, an executor that it started is alive.
tasks=
has_tasks() {
  if [ -z "$tasks" ]; then
    tasks=no
    at=$(cat /etc/mesos-slave/ip 2>/dev/null || echo "$ip")
    if curl --silent --fail --noproxy '*' --max-time 5 --output "$work/containers" "http://$at:5051/containers" 2>/dev/null; then
      ! grep -q '"container_id"' "$work/containers" || tasks=yes
    else
      work_dir=$(cat /etc/mesos-slave/work_dir 2>/dev/null || echo /mnt/mesos-work)
      for path in "$work_dir"/meta/slaves/latest/frameworks/*/executors/*/runs/*/pids/forked.pid; do
        # Of one that has ended, the number may be another's by now.
        [ ! -e "${path%/pids/*}/executor.sentinel" ] || continue
        pid=$(cat "$path" 2>/dev/null) || pid=
        case $pid in *[!0-9]* | '') ;; *) [ ! -e "/proc/$pid" ] || tasks=yes ;; esac
      done
    fi
  fi
  [ "$tasks" = yes ]
}
# Whether a mere restart of the agent would end some: those of frameworks that want no checkpoints.
has_unsaved_tasks() {
  has_tasks && curl --silent --fail --noproxy '*' --max-time 5 "http://$at:5051/state" 2>/dev/null | grep -q '"checkpoint": *false'
}
# What an agent that recovers its tasks has to keep: where it has any, what is in force stays.
keep_tasks() {
  is_active mesos-slave.service || return 0
  for flag in ip hostname resources attributes; do
    is_ours /etc/mesos-slave "$flag" || [ ! -e "/etc/mesos-slave/$flag" ] || continue
    now=$(cat "/etc/mesos-slave/$flag" 2>/dev/null) || now=
    next=$(sed -n "s/^$flag	//p" "$work/wanted")
    if [ "$now" = "$next" ] || ! has_tasks; then
      over "kept-$flag"
      continue
    fi
    state "kept-$flag" "the agent's $flag stays \`$now\`, and is not \`$next\` yet: its tasks would be lost. Once they have ended: systemctl stop mesos-slave; mesosflow-role --once; systemctl start mesos-slave"
    sed "/^$flag	/d" "$work/wanted" > "$work/kept"
    [ -z "$now" ] || printf '%s\t%s\n' "$flag" "$now" >> "$work/kept"
    mv "$work/kept" "$work/wanted"
  done
}

write_common() {
  home=$(fact "$work/file" mesos_home)
  home=${home:-/root/mesos}
  java=$(fact "$work/file" java_home)
  put env /etc/mesosflow/node.env "NODE_NAME=$name
NODE_IP=$ip
NODE_PUBLIC=$public
NODE_CPUS=$cpus
NODE_MEM_MB=$mem"
  # A public name may change while tasks run: it is told to the daemons when they start next.
  put environment /etc/mesosflow/mesos.env "MESOS_HOME=$home
LD_LIBRARY_PATH=$home/lib
MESOS_WEBUI_DIR=$home/share/mesos/webui
MESOS_LAUNCHER_DIR=$home/libexec/mesos
MESOS_PUBLIC_DNS=$public_name${java:+
JAVA_HOME=$java}"
  : > "$work/flags"
  [ "$role$lone" != mesos-masteryes ] || master=$ip:$master_port
  if [ "$lone" = no ]; then want zk "zk://$zookeepers/mesos"; else want master "$master"; fi
  last_of_each
  flags zk /etc/mesos
}
# A node that had the other role before.
leave_other_role() { [ "$mode" = dry ] || leave_flags "/etc/$1"; }
write_master() {
  : > "$work/flags"
  want ip "$ip"
  want port "$master_port"
  want hostname "$name"
  want cluster "$cluster"
  [ "$lone" = yes ] || want quorum $((masters / 2 + 1))
  want work_dir /mnt/mesos-work
  want log_dir /mnt/mesos-logs
  want_all master_flag
  last_of_each
  flags master /etc/mesos-master
  leave_other_role mesos-slave
}
write_slave() {
  : > "$work/flags"
  attributes=
  zone=$(fact "$work/own" zone)
  type=$(fact "$work/own" type)
  [ -z "$zone" ] || attributes="zone:$zone"
  [ -z "$type" ] || attributes="${attributes:+$attributes;}instance_type:$type"
  want ip "$ip"
  want hostname "$name"
  want resources "cpus:$cpus;mem:$mem"
  [ -z "$attributes" ] || want attributes "$attributes"
  want port 5051
  want work_dir /mnt/mesos-work
  # Under /run, so that a reboot empties it together with the containers.
  want runtime_dir /run/mesos
  want log_dir /mnt/mesos-logs
  want executor_environment_variables "{\"LD_LIBRARY_PATH\":\"$home/lib\"}"
  want_all agent_flag
  last_of_each
  keep_tasks
  flags agent /etc/mesos-slave
  leave_other_role mesos-master
  folders=$(fact "$work/file" folders | tr , ' ')
  [ -z "$folders" ] || put unit /etc/systemd/system/mesos-slave.service.d/mesosflow.conf "# What its tasks write to: without one of these disks it stays down.
[Unit]
RequiresMountsFor=$folders"
}

# The other nodes' names, which a container's engine takes out of /etc/hosts at each boot; and the machine's own where it is not among
# them, as of one that joined by itself: a datanode ends at once where that leads nowhere, and not every network's DNS knows it.
write_names() {
  [ -f /etc/mesosflow/hosts ] && [ -f /etc/mesosflow/names ] || return 0
  hosts=$(awk -v name="$name" -v own="$(uname -n)" -v ip="$ip" -v first="$first" -v first_name="$first_name" '
    / # this machine$/ { next }
    $2 == name || $2 == own { is_listed = 1 }
    $2 == name { $1 = ip }
    $2 != name && first != "" && $2 == first_name { $1 = first }
    { print }
    END { if (!is_listed) print ip, name (own == name ? "" : " " own), "# this machine" }' /etc/mesosflow/hosts)
  put names /etc/mesosflow/hosts "$hosts"
  [ "$mode" = dry ] || sh /etc/mesosflow/names
}

# Where the first master's address stands: `moved FROM TO`.
moved() {
  [ -n "$1" ] && [ -n "$2" ] && [ "$1" != "$2" ] || return 0
  from=$(printf '%s' "$1" | sed 's/[.]/[.]/g')
  for path in /root/ephemeral-hdfs/conf/core-site.xml /root/ephemeral-hdfs/conf/hdfs-site.xml /root/ephemeral-hdfs/conf/mapred-site.xml \
    /root/ephemeral-hdfs/conf/masters /root/persistent-hdfs/conf/core-site.xml /root/persistent-hdfs/conf/hdfs-site.xml \
    /root/persistent-hdfs/conf/mapred-site.xml /root/persistent-hdfs/conf/masters /root/spark/conf/spark-defaults.conf \
    /root/mesos-ec2/masters /root/mesos-ec2/cluster-url /root/mesos-ec2/hadoop-framework-conf/core-site.xml \
    /root/mesos-ec2/hadoop-framework-conf/mapred-site.xml /root/mesos-ec2/haproxy+apache/haproxy.cfg /root/mesos-ec2/nfs/ganesha.conf \
    /root/.ssh/mesosflow/known_hosts /etc/fstab /etc/nfs.conf.d/mesosflow.conf; do
    if [ ! -f "$path" ] || [ -h "$path" ]; then continue; fi
    case $path in
      # Nothing of the user's own.
      /etc/fstab) where='/[[:space:]]\/mnt\/nfs[[:space:]]/' ;;
      *) where= ;;
    esac
    # Twice: a match takes the letter behind it, which the next one may begin with.
    sed -E "$where{s/(^|[^0-9.])$from([^0-9.]|\$)/\\1$2\\2/g;s/(^|[^0-9.])$from([^0-9.]|\$)/\\1$2\\2/g}" "$path" > "$work/moved"
    ! cmp -s "$work/moved" "$path" || continue
    case $path in
      /root/*-hdfs/*) concerns hdfs ;;
      /etc/fstab | /root/.ssh/*) concerns volume ;;
      *ganesha* | /etc/nfs*) concerns export ;;
    esac
    if [ "$mode" = dry ]; then say "would write $path: $2 for $1"; continue; fi
    replace "$path" < "$work/moved"
    say "wrote $path: the first master is at $2, and no longer at $1"
  done
}

