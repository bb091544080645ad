# Becomes one of Spark's programs.
# arguments: what tells whether Mesos can be used, what is said where it cannot, the program, and its own
bindings=$1 locally=$2 program=$3
shift 3
if [ ! -x "/root/spark/bin/$program" ]; then
  echo "there is no /root/spark/bin/$program on this node: was it set up with \`frameworks.spark = false\`?" >&2
  exit 127
fi
chosen=
for word; do
  case $word in --master | --master=* | spark.master=*) chosen=yes ;; esac
done
if [ -z "$chosen" ] && [ "$(sh -c "$bindings")" != yes ]; then
  printf '%s\n' "$locally" >&2
  set -- --master 'local[*]' "$@"
fi
exec "/root/spark/bin/$program" "$@"
