# What keeps the shared volume mounted.
# sets unit: what mounts it after each boot
# sets drop_in: where the limit of a mount's tries is lifted
unit=mesosflow-shared-volume.service
drop_in=/etc/systemd/system/mnt-nfs.mount.d/mesosflow.conf
