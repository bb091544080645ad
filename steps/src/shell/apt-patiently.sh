# Functions. `patiently ARGUMENT…` runs apt-get. `DPkg::Lock::Timeout` waits for dpkg's locks alone. Those of the lists and of the
# archives, which the system's own daily update holds for minutes after a first boot, make apt fail at once: it is asked again
# until they are free.
# needs patience: how long, seconds
patiently() {
  give_up=$(($(date +%s) + patience))
  until said=$(LC_ALL=C apt-get -o DPkg::Lock::Timeout="$patience" "$@" 2>&1); do
    case $said in
      *"Could not get lock "*|*"Unable to lock directory "*) ;;
      *) printf '%s\n' "$said" >&2; return 100 ;;
    esac
    if [ "$(date +%s)" -ge "$give_up" ]; then printf '%s\n' "$said" >&2; return 100; fi
    echo "another process has apt's lock: waiting" >&2
    sleep 2
  done
  printf '%s\n' "$said"
}
