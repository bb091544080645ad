#!/bin/sh
# Waits for the end of its input, then ends and removes what that has named; see guard.rs. $1: the scenario's folder; $2 and on: the
# engine. A program is only ended if its command line names that folder: its number may have gone to another one.
# shellcheck disable=SC2034,SC2086 # tries are only counted; what the engine and iptables list are several words
folder=$1; shift
pids=; clusters=
while read -r kind what; do
  case $kind in
    pid) pids="$pids $what" ;;
    cluster) clusters="$clusters $what" ;;
  esac
done
for pid in $pids; do
  if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$folder/"; then kill -9 "$pid"; fi
done
# An engine that a killed test had just called ends by itself; whatever it made is removed below.
calls() { cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -qxF "org.mesosflow.cluster=$cluster"; }
for cluster in $clusters; do
  for try in 1 2 3 4 5 6 7 8 9 10; do calls && sleep 0.5 || break; done
  # A call of the engine that outlived its caller may still add something.
  for try in 1 2 3 4 5; do
    containers=$("$@" ps --all --quiet --filter "label=org.mesosflow.cluster=$cluster")
    [ -z "$containers" ] || "$@" rm --force --volumes $containers
    networks=$("$@" network ls --quiet --filter "label=org.mesosflow.cluster=$cluster")
    [ -z "$networks" ] || "$@" network rm $networks
    [ -n "$containers$networks" ] || break
  done
done
for cluster in $clusters; do
  images=$("$@" image ls --quiet --filter "label=org.mesosflow.test=$cluster" | sort -u)
  [ -z "$images" ] || "$@" image rm --force $images
done
for cluster in $clusters; do
  iptables -w -t nat -S PREROUTING 2>/dev/null | grep -F -- "--comment mesosflow-test-$cluster " | while read -r add rule; do
    iptables -w -t nat -D $rule
  done
done
losetup --list --noheadings --output NAME,BACK-FILE 2>/dev/null |
  awk -v root="$folder/" 'index($2, root) == 1 { print $1 }' | while read -r loop; do
  losetup --detach "$loop"
done
awk -v root="$folder/" 'index($2, root) == 1 { print $2 }' /proc/self/mounts | while read -r mounted; do
  umount -l "$mounted"
done
rm -rf --one-file-system -- "$folder"
