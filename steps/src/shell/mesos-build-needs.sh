# Prints `enough`, or what is lacking and how much there is. An earlier build that goes on counts as space that is there.
# var tools: programs
# var folder: where it is built
# var disk_gb: GiB that have to be free there
# var memory_mb: MiB of memory and swap
for tool in $tools; do
  command -v "$tool" >/dev/null || missing="${missing:-}${missing:+, }$tool"
done
[ -z "${missing:-}" ] || { echo "tools: $missing"; exit 0; }
free=$(df --block-size=1M --output=avail -- "$folder" | tail -n 1)
[ ! -d "$folder/.mesosflow-build" ] || free=$((free + $(du --summarize --block-size=1M -- "$folder/.mesosflow-build" | cut -f 1)))
[ "$free" -ge "$((disk_gb * 1024))" ] || { echo "disk: $((free / 1024))"; exit 0; }
memory=$(awk '/^(MemTotal|SwapTotal):/ { total += $2 } END { print int(total / 1024) }' /proc/meminfo)
[ "$memory" -ge "$memory_mb" ] || { echo "memory: $memory"; exit 0; }
echo enough
