# Becomes one of Spark's programs.
# arguments: what tells whether Mesos can be used, what is said where it cannot, whether its own say where to run, the program, and these
bindings=$1 locally=$2 placed=$3 program=$4
shift 4
if [ ! -x "/root/spark/bin/$program" ]; then
  echo "there is no /root/spark/bin/$program on this node: was it set up with \`frameworks.spark = false\`?" >&2
  exit 127
fi
if [ "$placed" = no ] && [ "$(sh -c "$bindings")" != yes ]; then
  printf '%s\n' "$locally" >&2
  set -- --master 'local[*]' "$@"
fi
exec "/root/spark/bin/$program" "$@"
