# ---- The whole of it ----

decided() {
  echo "cluster $cluster, $role ($(called file))"
  if [ "$lone" = no ]; then
    echo "zookeeper zk://$zookeepers/mesos ($(called "$located"), epoch $epoch)"
    [ "$role" = mesos-slave ] || echo "masters $masters, quorum $((masters / 2 + 1))"
  elif [ "$role" = mesos-slave ]; then
    echo "master $master ($(called "$located"), epoch $epoch)"
  else
    echo "master itself, alone"
  fi
  echo "name $name"
  echo "address $ip ($ip_from), public $public"
  if [ "$is_first" = yes ]; then
    echo "first master itself"
  elif [ -n "$first" ]; then
    echo "first master $first ($(called "$first_from"))"
  fi
}
# What is in force: what a later look compares with, and the first master's address that the cluster file had.
in_force() {
  printf 'ip=%s\nname=%s\npublic=%s\nfirst_master=%s\nof_file=%s\n' "$ip" "$name" "$public_name" "$first" "$of_file"
}
act() {
  was=$(fact "$memory/force" ip)
  old_first=$(fact "$memory/force" first_master)
  if [ "$mode" = dry ]; then
    decided
  else
    decided > "$work/decided"
    cmp -s "$work/decided" "$run/decided" || while IFS= read -r line; do say "$line"; done < "$work/decided"
  fi
  write_common
  case $role in
    mesos-master) write_master ;;
    mesos-slave) write_slave ;;
  esac
  write_names
  # What a deploy brings has the address of its own cluster file. What was in force stands only where no deploy has been since, which
  # may have given that address to another node.
  of_file=$(fact "$work/file" first_master)
  [ "$(fact "$memory/force" of_file)" != "$of_file" ] || moved "$old_first" "$first"
  moved "$of_file" "$first"
  if [ "$mode" != dry ] && [ -s "$pending" ]; then changed="$changed $(sort -u "$pending" | tr '\n' ' ')"; fi
  start_anew
  start_late
  if [ "$mode" = dry ]; then
    if [ -n "$refused_file" ]; then
      echo "the cluster file is refused: what it said before stays"
    elif [ -z "$changed" ]; then
      echo "nothing would change"
    fi
    return 0
  fi
  mkdir -p "$memory" "$run"
  in_force > "$work/now"
  cmp -s "$work/now" "$memory/force" || replace "$memory/force" < "$work/now"
  cmp -s "$work/decided" "$run/decided" || replace "$run/decided" < "$work/decided"
  rm -f "$pending"
}

# Whether a master answers where the first one was. Any other machine that has its address by now has no master.
first_answers() {
  at=$(fact "$memory/force" first_master)
  [ -n "$at" ] || return 0
  # shellcheck disable=SC2016 # It is bash's to expand.
  timeout 2 bash -c ': < "/dev/tcp/$1/$2"' bash "$at" "$master_port" 2>/dev/null
}
# The first master's own word in ZooKeeper, as soon as one of its servers takes it.
keep_published() {
  word="$epoch $ip $name"
  # What ZooKeeper had may be gone with its disks: it is said again now and then.
  if [ "$(cat "$run/published" 2>/dev/null)" = "$word" ]; then
    [ -z "$(find "$run/published" -mmin "-$ask_again_min")" ] || return 0
    publish && touch "$run/published"
  elif publish; then
    printf '%s\n' "$word" > "$run/published"
    say "published in ZooKeeper: the first master is at $ip"
  fi
  return 0
}

if [ "$mode" = leave ]; then
  leave
  exit 0
fi
# Nothing was found since the boot.
if [ "$mode" = again ] && [ ! -e "$run/decided" ]; then mode=late; fi
pause=1
waited=0
while :; do
  look
  missing=$(lacking)
  if [ -z "$missing" ]; then
    own_facts
    [ -n "$ip" ] || missing="this node has no address by which it reaches the cluster"
  fi
  [ -n "$missing" ] || break
  case $mode in
    boot) go_on_without "$missing"; exit 0 ;;
    wait | late) state waiting "waiting: $missing" ;;
    again) exit 0 ;;
    *) echo "$missing" >&2; exit 75 ;;
  esac
  [ "$mode" = wait ] || [ "$waited" -lt "$waits_at_most" ] || exit 0
  flock -u 9
  sleep "$pause"
  lock
  waited=$((waited + pause))
  pause=$((pause * 2 > 30 ? 30 : pause * 2))
done
over waiting

if [ "$mode" = again ]; then
  asks=no
  find_first no
  if [ "$lone$is_first" = nono ]; then
    if ! first_answers || [ -z "$(find "$run/asked" -mmin "-$ask_again_min" 2>/dev/null)" ]; then
      asks=ask
      : > "$run/asked"
    fi
  fi
  find_first "$asks"
  same=yes
  # Of one that was killed.
  [ ! -e "$pending" ] || same=no
  [ "$(fact "$memory/force" ip)" = "$ip" ] || same=no
  [ "$(fact "$memory/force" name)" = "$name" ] || same=no
  [ "$(fact "$memory/force" public)" = "$public_name" ] || same=no
  [ "$(fact "$memory/force" first_master)" = "$first" ] || same=no
  # A new list of ZooKeepers is for who changes it: a roll of the masters is not every node's own affair.
  [ "$same" = yes ] || act
else
  find_first ask
  act
fi
[ "$mode" = dry ] || [ "$lone$is_first" != noyes ] || keep_published
exit 0
