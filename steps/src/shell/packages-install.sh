# Installs packages. Only what is missing is installed. The lists are fetched once a day at most.
# var packages: the packages
# var patience: how long locks are waited for, seconds
# after apt-patiently
# shellcheck disable=SC2086
if command -v apt-get >/dev/null; then
  missing=$(for p in $packages; do dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q '^install ok installed' || echo "$p"; done)
  [ -n "$missing" ] || exit 0
  export DEBIAN_FRONTEND=noninteractive
  # An earlier try may have been cut off in the middle.
  dpkg --configure -a >/dev/null 2>&1 || true
  # A slim image lacks the folder, without which no Java can be installed.
  mkdir -p /usr/share/man/man1
  patiently update -q
  patiently install -q -y --no-install-recommends $missing
elif command -v dnf >/dev/null; then dnf install -q -y $packages
else yum install -q -y $packages
fi
