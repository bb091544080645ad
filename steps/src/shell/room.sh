# Prints a node's memory, and the room on the disk of its swap file, with what that holds already; MiB.
awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo
free=$(df --output=avail --block-size=1M /mnt | tail -n 1)
held=0
[ ! -e /mnt/swap ] || held=$(du --block-size=1M /mnt/swap | cut -f 1)
echo $((free + held))
