//! The shell side of the fence: what runs on the node when it is raised or looked at. The protocol is in the documentation of
//! [`super::fence`]; what every command pays for is in the wrapper of [`super::command`].
//!
//! All of it is POSIX shell with coreutils, util-linux, findutils, GNU grep and any awk. `dir` is the cluster's folder.

/// Prints the driver that the node has seen, `EPOCH NONCE`, or `none`.
pub(super) const SEEN: &str = r#"[ -e "$dir/epoch" ] || { echo none; exit 0; }
read -r seen by doubt <"$dir/epoch"
echo "$seen $by"
"#;

/// Takes `$epoch` and `$nonce` in if the node has `$from` (or has begun to take them in), and says `held` with what it has then; or `unsafe` or
/// `busy` with the reason. `$members` is [`MEMBERS`].
pub(super) const RAISE: &str = r#"set -u
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
    kill -STOP $pids 2>/dev/null
    kill -KILL $pids 2>/dev/null
    looks=$((looks + 1))
    [ "$looks" -lt 400 ] || { echo "busy processes of an older driver cannot be ended:$pids"; exit 0; }
    sleep 0.05
  done
  record "$epoch $nonce" || unsafe "$dir/epoch cannot be written"
fi
echo "held $epoch $nonce"
"#;

/// Reads marks (`/proc/PID/environ:MESOSFLOW_FENCE=CLUSTER EPOCH NONCE [GROUP START]`), then the `stat` of all processes.
/// Prints `GROUP:START … | PID …`: the groups of older epochs that have living processes, and those processes,
/// parents before their children: a shell with job control goes on when what it waits for is stopped. `groups` are
/// those of the last look: a process without a mark is found by what it was together with.
pub(super) const MEMBERS: &str = r#"function later(a, b) { return start[a] + 0 > start[b] + 0 || (start[a] == start[b] && a + 0 > b + 0) }
/^\/proc\// {
  if ($2 + 0 < epoch + 0) { split($1, at, "/"); marks++; who[marks] = at[3]; of[marks] = $4; since[marks] = $5 }
  next
}
/^[0-9]+ \(/ {
  pid = $1
  sub(/^.*\) /, "")
  state[pid] = $1; group[pid] = $3; session[pid] = $4; start[pid] = $20
}
END {
  count = split(groups, old, " ")
  for (i = 1; i <= count; i++) { split(old[i], at, ":"); born[at[1]] = at[2] }
  for (i = 1; i <= marks; i++) {
    pid = who[i]
    if (!(pid in state)) continue
    if (of[i] == "") born[group[pid]] = start[group[pid]]
    else if (group[pid] == of[i] || session[pid] == of[i]) born[of[i]] = since[i]
  }
  for (g in born) if (g + 0 < 2 || ((g in state) && born[g] != "" && born[g] != start[g])) delete born[g]
  for (pid in state) {
    if (state[pid] ~ /[ZX]/) continue
    g = (group[pid] in born) ? group[pid] : session[pid]
    if (!(g in born)) continue
    alive[g] = 1
    for (i = found++; i > 0 && later(list[i], pid); i--) list[i + 1] = list[i]
    list[i + 1] = pid
  }
  for (i = 1; i <= found; i++) pids = pids " " list[i]
  for (g in alive) printf "%s:%s ", g, born[g]
  print "|" pids
}"#;
