# The host's system, its processors, its memory and what is free on its root file system (KiB), a line each.
# shellcheck disable=SC1091
( . /etc/os-release; echo "${PRETTY_NAME:-unknown}" ) 2>/dev/null || echo unknown
getconf _NPROCESSORS_ONLN 2>/dev/null || echo 0
awk '/^MemTotal:/ { print $2 }' /proc/meminfo
df -Pk / | awk 'NR == 2 { print $4 }'
