# Puts the server's number where it reads it, whole or not at all.
# var id: the server's number
# after on-disk
on_disk /var/lib/mesosflow-zookeeper
mkdir -p /var/lib/mesosflow-zookeeper
printf '%s\n' "$id" > /var/lib/mesosflow-zookeeper/myid.new
chmod 644 /var/lib/mesosflow-zookeeper/myid.new
mv -fT /var/lib/mesosflow-zookeeper/myid.new /var/lib/mesosflow-zookeeper/myid
