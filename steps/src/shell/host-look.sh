# What a host has: a line `owner …`, a line `key`.
# var mark: the file that says whose the host is
# var user: the login
# var line: of the cluster's key, or empty
home=$(getent passwd "$user" | cut -d : -f 6)
if [ -e "$mark" ]; then echo "owner $(sed '/^#/d' "$mark")"; fi
if [ -n "$line" ] && grep --quiet --line-regexp --fixed-strings -e "$line" "$home/.ssh/authorized_keys" 2>/dev/null; then
  echo key
fi
