# Puts a token into the shared volume, on the first master. Never through a link: somebody may have put some into the folder. Root of a
# slave is nobody in it.
# var nonce: tells this check from others; the token
# after on-disk
on_disk /mnt/nfs
umask 022
set -C
printf '%s\n' "$nonce" > "/mnt/nfs/.mesosflow-check.$nonce"
