# Takes $epoch and $nonce in if the node has $from (or has begun to take them in), and says `held` with what it has then; or
# `unsafe` or `busy` with the reason.
# var dir: the cluster's folder
# var cluster: its number
# var epoch: the driver's
# var nonce: the driver's
# var from: what was seen
# var members: fence-members.awk
set -u
umask 077
unsafe() { echo "unsafe $1"; exit 0; }
mkdir -p -- "$dir" 2>/dev/null || unsafe "$dir cannot be made"
for folder in "${dir%/*}" "$dir"; do
  [ ! -h "$folder" ] || unsafe "$folder is a link"
  [ -d "$folder" ] && [ -O "$folder" ] || unsafe "$folder is not a folder of root's"
  [ -z "$(find "$folder" -maxdepth 0 -perm /022)" ] || unsafe "others than root may write to $folder"
done
exec 9>>"$dir/lock"
flock -w 30 9 || { echo "busy another command holds $dir/lock"; exit 0; }
held= seen=0 by=
if [ -e "$dir/epoch" ]; then
  read -r held <"$dir/epoch"
  read -r seen by doubt <"$dir/epoch"
  case $seen in '' | *[!0-9]*) unsafe "$dir/epoch is damaged" ;; esac
fi
case $held in
  "$from" | "$epoch $nonce" | "$epoch $nonce raising") ;;
  *) echo "held $held"; exit 0 ;;
esac
record() {
  echo "$1" >"$dir/epoch.part" && sync -- "$dir/epoch.part" && mv -fT -- "$dir/epoch.part" "$dir/epoch" && sync -- "$dir"
}
if [ "$held" != "$epoch $nonce" ]; then
  record "$epoch $nonce raising" || unsafe "$dir/epoch cannot be written"
  groups= looks=0
  while :; do
    found=$({
      grep -aHzsoE "^MESOSFLOW_FENCE=$cluster [0-9]+ [0-9a-f]+( [0-9]+ [0-9]+)?$" /proc/[0-9]*/cmdline /proc/[0-9]*/environ
      cat /proc/[0-9]*/stat 2>/dev/null
    } | tr '\0' '\n' | awk -v "epoch=$epoch" -v "groups=$groups" "$members") || unsafe "the processes of $(uname -n) cannot be seen"
    groups=${found%%|*} pids=${found#*|}
    [ -n "$pids" ] || break
    # None goes on because another was killed before it.
    # shellcheck disable=SC2086
    kill -STOP $pids 2>/dev/null
    # shellcheck disable=SC2086
    kill -KILL $pids 2>/dev/null
    looks=$((looks + 1))
    [ "$looks" -lt 400 ] || { echo "busy processes of an older driver cannot be ended:$pids"; exit 0; }
    sleep 0.05
  done
  record "$epoch $nonce" || unsafe "$dir/epoch cannot be written"
fi
echo "held $epoch $nonce"
