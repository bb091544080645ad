# What a node is to have in its files. Slaves offer all processors, and all memory but 1 GiB (the predecessor's rule), at least half
# of it. Standard input: the nodes, as lines of /etc/hosts.
# sets block: those
# sets begin: the line before them
# sets end: the line behind them
# sets env: the lines of node.env
# needs name: the node's
# needs address: its private one
# needs public: the one that people reach it by
block=$(cat)
begin='# mesosflow begin' end='# mesosflow end'
total=$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)
memory=$((total - 1024))
[ "$memory" -ge $((total / 2)) ] || memory=$((total / 2))
env=$(printf 'NODE_NAME=%s\nNODE_IP=%s\nNODE_PUBLIC=%s\nNODE_CPUS=%s\nNODE_MEM_MB=%s' \
  "$name" "$address" "$public" "$(nproc)" "$memory")
