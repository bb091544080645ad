#!/bin/bash
# Second half of the recipe: turns the bare Debian tree into a node. Called by build.sh through mmdebstrap.
#
#     customize.sh ROOT RECIPE ARCHIVES
#
# ROOT is the tree, RECIPE this folder, ARCHIVES the folder of the verified archives of Hadoop and Spark.
set -euo pipefail

root=$1
recipe=$2
archives=$3

say() { echo "image: $*"; }

# --- init and SSH ----------------------------------------------------------------------------------------------------

say "configuring systemd and sshd"
grep -vE '^(#|$)' "$recipe/system/masked.units" | while read -r unit; do
    ln -sfn /dev/null "$root/etc/systemd/system/$unit"
done

# A node starts what mesosflow starts. Servers that Debian enables on installation stay off.
for unit in haproxy.service apache2.service apache-htcacheclean.service nfs-server.service nfs-kernel-server.service \
    nfs-mountd.service rpc-statd.service rpc-statd-notify.service rpcbind.service rpcbind.socket nfs-ganesha.service \
    nfs-ganesha-lock.service rsync.service nfs-client.target remote-fs.target; do
    chroot "$root" systemctl disable "$unit" >/dev/null 2>&1 || true
done

install -m 0644 "$recipe/system/sshd.conf" "$root/etc/ssh/sshd_config.d/mesosflow.conf"
install -m 0644 "$recipe/system/mesosflow-host-keys.service" "$root/etc/systemd/system/mesosflow-host-keys.service"
# Made on the first boot instead: a key in the image would be every node's.
rm -f "$root"/etc/ssh/ssh_host_*
chroot "$root" systemctl enable ssh.service mesosflow-host-keys.service >/dev/null 2>&1
chroot "$root" systemctl set-default multi-user.target >/dev/null 2>&1
install -d -m 0700 "$root/root/.ssh"

# Empty, not absent: systemd then gives each node an id of its own.
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id" "$root/etc/hostname"

# The journal stays in memory and small: a node's disks are the machine's.
install -d "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\nForwardToSyslog=no\n' \
    >"$root/etc/systemd/journald.conf.d/mesosflow.conf"
# A daemon that hangs must not hold up the stop of a whole cluster for Debian's minute and a half.
install -d "$root/etc/systemd/system.conf.d"
printf '[Manager]\nDefaultTimeoutStopSec=20s\n' >"$root/etc/systemd/system.conf.d/mesosflow.conf"

# Each time that systemd reads its units anew, it starts all of these; a container has nothing that they look for.
install -d "$root/etc/systemd/system-generators"
for generator in cryptsetup debug getty gpt-auto hibernate-resume integritysetup rc-local run system-update veritysetup; do
    ln -s /dev/null "$root/etc/systemd/system-generators/systemd-$generator-generator"
done

# --- Hadoop, Spark, ZooKeeper ----------------------------------------------------------------------------------------

# The same script puts them on a machine of a stock image.
bash "$recipe/software/layout.sh" unpack "$root" "$archives"
bash "$recipe/software/layout.sh" link "$root"
grep -q '^/usr/share/java/' "$root/opt/mesosflow/zookeeper/classpath" ||
    { echo "customize.sh: Debian's ZooKeeper is not there" >&2; exit 1; }
install -d "$root/vol"

# --- class archive ---------------------------------------------------------------------------------------------------

# A quicker start, not a condition: a machine where this fails still gets a node that works.
say "recording HDFS' classes for a quick start"
install -m 0755 "$recipe/archive-classes.sh" "$root/tmp/archive-classes.sh"
# A network and a process table of its own: the ports of the trial HDFS are nobody else's, and nothing outlives it.
# shellcheck disable=SC2016 # $1 is the inner shell's
if ! timeout 180 unshare --net --uts --mount --pid --fork --kill-child -- bash -euc '
    mountpoint -q "$1/proc" || mount -t proc proc "$1/proc"
    exec chroot "$1" /bin/bash /tmp/archive-classes.sh
' archive "$root" >"$root/tmp/archive.log" 2>&1; then
    say "no class archive (HDFS will start some seconds slower); the last lines were:"
    tail -n 5 "$root/tmp/archive.log" | sed 's/^/image:   /'
fi
rm -rf "$root"/tmp/* "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
