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
# A job's own folders on every disk: what it leaves there goes with it.
if [ "${MESOSFLOW_JOB:-}" ]; then
  umask 077
  folders=
  for disk in /mnt/hadoop/mrlocal*; do
    if [ -d "$disk" ] && mkdir -p -- "$disk/$MESOSFLOW_JOB"; then
      folders=${folders:+$folders,}$disk/$MESOSFLOW_JOB
      : "${TMPDIR:=$disk/$MESOSFLOW_JOB}"
    fi
  done
  if [ "$folders" ]; then
    export TMPDIR
    export SPARK_SUBMIT_OPTS="-Djava.io.tmpdir=$TMPDIR${SPARK_SUBMIT_OPTS:+ $SPARK_SUBMIT_OPTS}"
    set -- --conf "spark.local.dir=$folders" "$@"
  fi
fi
exec "/root/spark/bin/$program" "$@"
