# A swap file, now and at each boot.
# var megabytes: its size, MiB
# after on-disk, aside
on_disk /mnt/swap
if swapon --show=NAME --noheadings | grep --quiet --line-regexp /mnt/swap; then swapoff /mnt/swap; fi
make_way /mnt/swap
rm -f /mnt/swap
(umask 077; dd if=/dev/zero of=/mnt/swap.new bs=1M count="$megabytes" status=none)
mkswap /mnt/swap.new >/dev/null
lay_claim /mnt/swap.new /mnt/swap
mv /mnt/swap.new /mnt/swap
swapon /mnt/swap
grep --quiet '^/mnt/swap ' /etc/fstab || echo '/mnt/swap none swap sw,nofail 0 0' >> /etc/fstab
