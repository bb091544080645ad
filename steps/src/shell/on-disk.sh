# Functions. `unmounted PATH` prints the mount points of /etc/fstab that PATH is on, as far as nothing is mounted there; `on_disk
# PATH…` refuses (exit status 4) where there are any. `missing_for UNIT` prints those that keep a unit from starting.
unmounted() {
  [ -e /etc/fstab ] || return 0
  while IFS=' 	' read -r source mount rest || [ -n "$source" ]; do
    case $source in '' | '#'*) continue ;; esac
    case $mount in /?*) ;; *) continue ;; esac
    case $1/ in "$mount"/*) mountpoint --quiet -- "$mount" || echo "$mount" ;; esac
  done < /etc/fstab
}
on_disk() {
  for path in "$@"; do
    missing=$(unmounted "$path")
    [ -z "$missing" ] || { echo "$missing is not mounted: $path would be on another disk" >&2; exit 4; }
  done
}
missing_for() {
  for path in $(systemctl show --property RequiresMountsFor --value -- "$1"); do unmounted "$path"; done | sort -u
}
