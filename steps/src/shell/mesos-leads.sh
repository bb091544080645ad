# Functions. `leads`: the master at $address says of itself that it leads. Not ZooKeeper is asked: there, a
# master that was stopped stays the leader until its session ends.
# sets metrics: what it said
# needs address: the master's
# needs port: of the masters
leads() {
  metrics=$(curl -fsS --max-time 3 "http://$address:$port/metrics/snapshot" 2>/dev/null) || return 1
  case $(printf %s "$metrics" | sed -n 's/.*"master[\\]*\/elected":\([0-9.]*\).*/\1/p') in 1 | 1.0) ;; *) return 1 ;; esac
}
