#!/bin/sh
# mesosflow-role: finds out what this node is in its Mesos cluster, and writes what its daemons start with.
#
#   mesosflow-role            waits until some source knows where the cluster is, and writes
#   mesosflow-role --once     the same, without waiting: 75 where no source knows
#   mesosflow-role --write    the same as --once, and leaves it to its caller to start Mesos anew where its flags are others by that
#   mesosflow-role --boot     before the daemons: where no source knows it leaves the waiting to --again, so that the boot goes on
#   mesosflow-role --again    waits where nothing was found since the boot; else looks whether the node's address or name, or the
#                             first master's, is another by now, and only then does the same
#   mesosflow-role --dry-run  says what it finds and what it would do, and does nothing
#   mesosflow-role --leave    takes away what it has written, but for what somebody has changed since
#
# It asks the cluster file that a deploy or user data left, EC2's metadata (only where that file says the node is EC2's) and DNS (only
# where that file names it). Of what they say the newest epoch counts; DNS counts where nothing else knows. Whatever cannot be what it
# is meant to be is refused together with all that its source said; what that source said before stays, and the next one is asked.
#
# It needs curl for EC2's metadata, `host` or `dig` for SRV records, and bash for its connections to ZooKeeper.
# Killed at any moment, it is only to be run again.
set -eu
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 022

cluster_file=/etc/mesosflow/cluster
# What each source said last, and what is in force.
memory=/var/lib/mesosflow/role
# What was said, published and decided since the node booted.
run=/run/mesosflow/role
metadata=http://169.254.169.254/latest
zookeeper_port=2181
master_port=5050
# A first master that has moved away without a word may have left its address to another machine: ZooKeeper is asked now and then.
ask_again_min=10

# No longer than this waits one that somebody else's timer starts again.
waits_at_most=300

usage() {
  echo "usage: mesosflow-role [--boot | --once | --write | --again | --dry-run | --leave]" >&2
  exit 2
}
[ "$#" -le 1 ] || usage
case ${1---wait} in
  --wait | --boot | --once | --write | --again | --leave) mode=${1---wait} ;;
  --dry-run) mode=--dry ;;
  *) usage ;;
esac
mode=${mode#--}

# One at a time; whoever has it does the same. What others have left there was killed, or waits and begins anew.
lock() {
  flock -w 60 9 || { echo "another mesosflow-role does not end" >&2; exit 75; }
  rm -rf -- "$run"/work.*
  mkdir -m 700 "$work"
  rm -f /etc/mesos/.mesosflow-new /etc/mesos-master/.mesosflow-new /etc/mesos-slave/.mesosflow-new /etc/mesosflow/.mesosflow-new \
    "$memory/.mesosflow-new"
}
trap 'exit 143' TERM INT HUP
if [ "$mode" = dry ]; then
  work=$(mktemp -d)
else
  # Nobody else holds it: whoever may open a file may lock it.
  mkdir -p "$(dirname "$run")" && mkdir -p -m 700 "$run" && chmod 700 "$run"
  exec 9> "$run/lock"
  work=$run/work.$$
  lock
fi
trap 'rm -rf -- "$work"' EXIT

