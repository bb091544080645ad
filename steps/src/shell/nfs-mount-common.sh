# What keeps the shared volume mounted.
# sets drop_in: where the limit of a mount's tries is lifted
drop_in=/etc/systemd/system/mnt-nfs.mount.d/mesosflow.conf
