# Puts the token into /mnt/nfs. Made where nobody else writes, and moved: somebody may have put links into the folder. Root of a
# client is nobody in it, and has to get as far as the token.
# var file: its name
# var token: what it holds
# after on-disk
on_disk /mnt/nfs
[ -d /mnt/nfs ] || mkdir -p -m 755 /mnt/nfs
new=$(mktemp /mnt/.mesosflow-token.XXXXXX)
printf '%s\n' "$token" > "$new"
chmod 644 "$new"
mv -fT -- "$new" "/mnt/nfs/$file"
