# Has the kernel export /mnt/nfs. A server that already serves something of the user's keeps its addresses.
# var drop_in: the addition to the system's own unit
# var exported: where it is kept what was exported
# var address: the only one to listen on, or empty
if [ -n "$address" ] && ! systemctl is-active --quiet nfs-server && ! grep --quiet '^[^#]' /etc/exports 2>/dev/null; then
  mkdir -p /etc/nfs.conf.d
  printf '# Made by mesosflow: this host has another address, which the internet reaches.\n[nfsd]\nhost=%s\n' "$address" > /etc/nfs.conf.d/mesosflow.conf
fi
mkdir -p /etc/exports.d /run/mesosflow
rm -f "$exported"
install -m 644 /root/mesos-ec2/nfs/exports /etc/exports.d/mesosflow.exports
install -D -m 644 /root/mesos-ec2/nfs/nfs-server.conf "$drop_in"
systemctl daemon-reload
systemctl enable --quiet --now nfs-server
exportfs -ra
sha256sum < /etc/exports.d/mesosflow.exports > "$exported.new"
mv "$exported.new" "$exported"
