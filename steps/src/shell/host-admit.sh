# Marks a host as the cluster's and lets its key in; prints `owner …` where it is another's. The mark appears whole, and only
# where there is none: of two clusters that want a host at the same time, one gets it.
# var mark: the file that says whose the host is
# var user: the login
# var line: of the cluster's key
# var owner: cluster and run
# var maker: a comment for people
# var add: yes: the key is let in
umask 077
mkdir -p -m 755 /etc/mesosflow
printf '# This machine belongs to a cluster of mesosflow (cluster, run). `mesosflow destroy` removes this file.\n# %s\n%s\n' "$maker" "$owner" > "$mark.$$"
chmod 644 "$mark.$$"
ln "$mark.$$" "$mark" 2>/dev/null || true
rm -f "$mark.$$"
held=$(sed '/^#/d' "$mark")
[ "$held" = "$owner" ] || { echo "owner $held"; exit 0; }
[ "$add" = yes ] || exit 0
home=$(getent passwd "$user" | cut -d : -f 6)
[ -d "$home" ] || { echo "$user has no home folder" >&2; exit 1; }
own=$user:$(id -g "$user")
folder=$home/.ssh file=$home/.ssh/authorized_keys
if ! [ -d "$folder" ]; then mkdir "$folder"; chown "$own" "$folder"; fi
if ! [ -e "$file" ]; then : > "$file"; chown "$own" "$file"; fi
if ! grep --quiet --line-regexp --fixed-strings -e "$line" "$file"; then
  # A last line without an end would swallow this one.
  lead=; [ -z "$(tail -c 1 "$file")" ] || lead='
'
  printf '%s%s\n' "$lead" "$line" >> "$file"
fi
if command -v restorecon >/dev/null; then restorecon -R "$folder" || true; fi
