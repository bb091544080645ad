# Whether the agent of this node would be another one by its flags: exit 1 where it would not. Standard input has a line for each flag
# that is to be another, `NAME not VALUE` (what it is to be) or `NAME is VALUE` (what it is no more).
# var of: `started` where it is about what the agent was started with, `now` where about the flags as they lie there
known=/mnt/mesos-work/mesosflow-identity
[ "$of" = now ] || [ -e "$known" ] || exit 1
while read -r name word value; do
  case $of in
    now) found=$(cat "/etc/mesos-slave/$name" 2>/dev/null || true) ;;
    *) found=$(sed -n "s/^$name //p" "$known") ;;
  esac
  case $word in
    is) [ "$found" != "$value" ] || exit 0 ;;
    *) [ "$found" = "$value" ] || exit 0 ;;
  esac
done
exit 1
