# Whether no Mesos runs. By name, since a stray belongs to no unit; a process that is dead but not reaped is gone. And by the
# units: one that systemd is about to start again has no process at the moment.
for unit in mesos-master.service mesos-slave.service; do
  case $(systemctl is-active "$unit" || true) in active | activating | reloading | deactivating) exit 1 ;; esac
done
for name in mesos-master mesos-agent mesos-slave; do
  for pid in $(pgrep -x "$name" || true); do
    case $(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$pid/status" 2>/dev/null) in '' | Z) ;; *) exit 1 ;; esac
  done
done
