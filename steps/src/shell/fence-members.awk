# Reads marks (/proc/PID/environ:MESOSFLOW_FENCE=CLUSTER EPOCH NONCE [GROUP START]), then the `stat` of all processes. Prints
# `GROUP:START … | PID …`: the groups of older epochs that have living processes, and those processes, parents before their
# children: a shell with job control goes on when what it waits for is stopped.
# var epoch: the new driver's
# var groups: those of the last look: a process without a mark is found by what it was together with
function later(a, b) { return start[a] + 0 > start[b] + 0 || (start[a] == start[b] && a + 0 > b + 0) }
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
}
