# Prints a daemon's state, the disks that it lacks, and the end of what it has said. A daemon that refuses a flag says so before pages of
# usage: those are left out.
# var unit: the daemon's unit
# after on-disk
systemctl is-active "$unit" || true
for mount in $(missing_for "$unit"); do echo "$mount is not mounted"; done
journalctl --unit "$unit" --no-pager --output cat --lines 1000 2>/dev/null | awk -v unit="$unit" '
  /^Usage:/ { is_usage = 1 }
  /^(Started|Starting|Stopped|Stopping|Failed to start|Scheduled restart job) / || index($0, unit ": ") == 1 { is_usage = 0 }
  !is_usage && NF' | tail -n 12
