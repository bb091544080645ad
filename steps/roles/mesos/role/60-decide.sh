# ---- What counts ----

knows() {
  [ -s "$work/$1" ] || return 1
  if [ "$lone" = yes ]; then [ -n "$(fact "$work/$1" master)" ]; else [ -n "$(fact "$work/$1" zookeepers)" ]; fi
}
newest() {
  best=
  for source in "$@"; do
    knows "$source" || continue
    of_source=$(fact "$work/$source" epoch)
    if [ -z "$best" ] || [ "$of_source" -gt "$(fact "$work/$best" epoch)" ]; then best=$source; fi
  done
  echo "$best"
}

# Whose facts are whose: everything that follows from the sources but for the first master.
look() {
  rm -f "$work/file" "$work/tags" "$work/dns" "$work/own" "$work/published"
  ask_file
  provider=$(fact "$work/file" provider)
  cluster=$(fact "$work/file" cluster)
  role=$(fact "$work/file" role)
  masters=$(fact "$work/file" masters)
  [ "$provider" != ec2 ] || ask_ec2
  # The number of masters says whether there is a ZooKeeper; the newest that says it counts.
  lone=no
  count_of=
  for source in file tags; do
    said=$(fact "$work/$source" masters)
    [ -n "$said" ] || continue
    if [ -z "$count_of" ] || [ "$(fact "$work/$source" epoch)" -gt "$(fact "$work/$count_of" epoch)" ]; then
      count_of=$source masters=$said
    fi
  done
  [ "$masters" != 1 ] || [ -n "$(fact "$work/file" zookeepers)$(fact "$work/tags" zookeepers)" ] || lone=yes
  located=$(newest file tags)
  if [ -z "$located" ]; then
    ask_dns
    located=$(newest dns)
  fi
  zookeepers='' master='' epoch=0
  [ -z "$located" ] || {
    zookeepers=$(fact "$work/$located" zookeepers)
    master=$(fact "$work/$located" master)
    epoch=$(fact "$work/$located" epoch)
  }
}
# What is missing before anything can be written; nothing where all is there.
lacking() {
  if [ -z "$role" ] || [ -z "$cluster" ]; then
    echo "which role it has is not known: $cluster_file says none"
  elif [ "$lone$role" = yesmesos-master ]; then
    :
  elif [ -z "$located" ] && [ "$lone" = yes ]; then
    echo "no source knows where the master is"
  elif [ -z "$located" ]; then
    echo "no source knows where ZooKeeper is"
  elif [ "$role" = mesos-master ] && [ -z "$masters" ]; then
    echo "no source knows how many masters there are"
  fi
}

is_mine() { ip -o -4 address show 2>/dev/null | awk -v own="$1" '{ split($4, part, "/"); if (part[1] == own) found = 1 } END { exit !found }'; }
# The address that this node reaches a host by.
way_to() {
  for at in $(addresses "$1"); do
    ip -o route get "$at" 2>/dev/null | sed -n 's/^.* src \([0-9.]*\).*$/\1/p'
    return 0
  done
}
own_facts() {
  ip=$(fact "$work/file" ip)
  ip_from=$cluster_file
  if [ -z "$ip" ] || ! is_mine "$ip"; then
    ip=$(fact "$work/own" ip)
    ip_from="EC2's metadata"
  fi
  if [ -z "$ip" ] || ! is_mine "$ip"; then
    ip=
    ip_from="the way to the cluster"
    for place in $(each_zookeeper) "$master" "$(fact "$work/file" first_master):"; do
      if [ -n "${place%:*}" ] && [ -z "$ip" ]; then ip=$(way_to "${place%:*}"); fi
    done
    case $ip in 127.*) ip= ;; esac
    [ -z "$ip" ] || is_mine "$ip" || ip=
  fi
  name=$(fact "$work/file" name)
  [ -n "$name" ] || name=$(fact "$work/own" name)
  [ -n "$name" ] || name=$(uname -n)
  public=$(fact "$work/own" public_ip)
  if [ -z "$public" ] && [ "$provider" != ec2 ]; then
    public=$(fact "$work/file" public)
    [ "$public" != "$(fact "$work/file" ip)" ] || public=$ip
  fi
  [ -n "$public" ] || public=$ip
  public_name=$(fact "$work/own" public_name)
  [ -n "$public_name" ] || public_name=$public
  total=$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)
  mem=$((total - 1024))
  [ "$mem" -ge $((total / 2)) ] || mem=$((total / 2))
  cpus=$(nproc)
}

# Where the first master is: what the cluster file says, or what its own boot has published since. On the first master it is itself.
find_first() {
  first=$(fact "$work/file" first_master)
  first_from='file'
  first_name=$(fact "$work/file" first_master_name)
  is_first=no
  if [ "$role" = mesos-master ] && { [ "$lone" = yes ] || [ -n "$first_name" ] && [ "$first_name" = "$name" ]; }; then
    is_first=yes
    [ "$first" = "$ip" ] || first_from=own
    first=$ip
  elif [ "$lone" = yes ] && [ "$located" != file ]; then
    at=${master%:*}
    at=$(addresses "$at" | head -n 1)
    [ -z "$at" ] || [ "$at" = "$first" ] || { first=$at first_from=$located; }
  elif [ "$lone" = no ]; then
    if [ "$1" = ask ] && read_published; then take published said; fi
    [ -s "$work/published" ] || [ ! -s "$memory/published" ] || cp "$memory/published" "$work/published"
    said=$(fact "$work/published" first_master)
    of_file=$(fact "$work/file" epoch)
    # A file of a newer epoch that has the very address that it has left is older than its word all the same.
    if [ -n "$said" ] && [ "$said" != "$first" ] &&
      { [ "$(fact "$work/published" epoch)" -ge "${of_file:-0}" ] || [ "$(fact "$work/published" instead_of)" = "$first" ]; } &&
      { [ -z "$first_name" ] || [ "$(fact "$work/published" first_master_name)" = "$first_name" ]; }; then
      first=$said first_from=published
    fi
  fi
}

