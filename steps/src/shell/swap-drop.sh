# Takes away the swap file that was made, which an older configuration had.
# after aside
if swapon --show=NAME --noheadings | grep --quiet --line-regexp /mnt/swap; then swapoff /mnt/swap; fi
grep --invert-match '^/mnt/swap ' /etc/fstab > /etc/fstab.mesosflow || true
cat /etc/fstab.mesosflow > /etc/fstab
rm -f /etc/fstab.mesosflow /mnt/swap
