# What every command starts with; see remote/command.rs. $1: the script; $2: the length of its input; $3: its deadline, seconds;
# behind the fence $4: its folder, $5: the run's mark.
exec 3<&0 </dev/null
read -r a a a a group a </proc/$$/stat
if [ -n "$5" ]; then
held=
[ ! -h "$4" ] && [ -O "$4" ] && read -r held 2>/dev/null <"$4/epoch"
[ "$held" = "${5#* }" ] || { printf "\nmesosflow-fence %s %s\n" "${5##* }" "$held" >&2; exit 97; }
read -r a a a a a a a a a a a a a a a a a a a a a start a <"/proc/$group/stat"
export "$5 $group $start"
fi
end() {
trap "" PIPE
for signal in STOP KILL; do
for a in /proc/[0-9]*; do
read -r stat 2>/dev/null <"$a/stat" || continue
# shellcheck disable=SC2086
set -- ${stat##*) }
[ "$3" = "$group" ] || [ "$4" = "$group" ] || continue
case "$signal ${a#/proc/} $3" in
"STOP $waiter "* | "STOP $timer "* | "STOP $reader "* | "KILL "*" $group") ;;
*) kill -$signal "${a#/proc/}" ;;
esac
done
done
kill -KILL 0
}
{
read -r waiter a </proc/self/stat
sleep "$3" >/dev/null 2>&1 3<&- &
timer=$!
{
read -r reader a </proc/self/stat
echo "$reader $timer"
[ "$2" = 0 ] || head -c "$2" <&3 2>/dev/null
mark=; read -r mark <&3; [ "$mark" = . ] || end
exec >/dev/null 2>&1
while read -r a <&3; do :; done
end
} &
reader=$!
exec >/dev/null 2>&1
wait "$timer" && end
} | {
read -r helpers
sh -c "$1" 3<&-
status=$?
# shellcheck disable=SC2086
kill -PIPE $helpers 2>/dev/null
exit $status
}
