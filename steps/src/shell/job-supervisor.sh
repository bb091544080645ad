# The job's own first process. Descriptor 9 is the lock; the script inherits it. $1: the job's folder.
dir=$1
unset MESOSFLOW_FENCE
umask 022
cd /
set -e
rest=$(cat /proc/$$/stat); rest=${rest##*) }
# shellcheck disable=SC2086
set -- $rest
started=${20}
read -r boot </proc/sys/kernel/random/boot_id
echo "$$ $started $boot" >"$dir/pid.part"
sync -- "$dir/pid.part" "$dir/script"
mv -- "$dir/pid.part" "$dir/pid"
sync -- "$dir"
set +e
sh "$dir/script" >"$dir/out" 2>"$dir/err"
echo $? >"$dir/exit.part"
sync -- "$dir/exit.part" "$dir/out" "$dir/err"
mv -- "$dir/exit.part" "$dir/exit"
sync -- "$dir"
