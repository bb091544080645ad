# Whether the agent of this node would not be taken for the one of before if it were started now: exit 1 where it would. It is by what the
# role's agent-identity has written down.
known=/mnt/mesos-work/mesosflow-identity
[ -e "$known" ] || exit 1
identity=$(for flag in hostname attributes resources; do echo "$flag $(cat "/etc/mesos-slave/$flag" 2>/dev/null || true)"; done)
[ "$(cat "$known")" != "$identity" ] || exit 1
