#!/bin/sh
# mesosflow-role: finds out what this node is in its Mesos cluster, and writes what its daemons start with.
#
#   mesosflow-role            at boot, before the daemons: waits until some source knows where the cluster is
#   mesosflow-role --once     the same, without waiting: 75 where no source knows
#   mesosflow-role --again    whether the node's address or name, or the first master, is another by now: only then the same
#   mesosflow-role --dry-run  says what it finds and what it would do, and does nothing
#   mesosflow-role --leave    takes away what it has written of flags, and nothing of anybody else's
#
# It asks the cluster file that a deploy or user data left, EC2's metadata (only where that file says the node is EC2's) and DNS (only
# where that file names it). Of what they say the newest epoch counts; DNS counts where nothing else knows. Whatever cannot be what it
# is meant to be is refused together with all that its source said; what that source said before stays, and the next one is asked.
#
# It needs curl for EC2's metadata, `host` or `dig` for SRV records, and bash for its connections to ZooKeeper.
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

usage() {
  echo "usage: mesosflow-role [--once | --again | --dry-run | --leave]" >&2
  exit 2
}
[ "$#" -le 1 ] || usage
case ${1---boot} in
  --boot | --once | --again | --leave) mode=${1---boot} ;;
  --dry-run) mode=--dry ;;
  *) usage ;;
esac
mode=${mode#--}

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
trap 'exit 143' TERM INT HUP

