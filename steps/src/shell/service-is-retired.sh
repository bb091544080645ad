# Whether a daemon does not run, and will not after a reboot. A unit that was never laid has nothing to be stopped; one that is about to
# be started again is not gone. Needs `is_our_unit`.
# var unit: the daemon's
# after aside
[ -e "/etc/systemd/system/$unit" ] && is_our_unit "$unit" || exit 0
case $(systemctl is-active "$unit" || true) in active | activating | reloading | deactivating) exit 1 ;; esac
! systemctl is-enabled --quiet "$unit" || exit 1
