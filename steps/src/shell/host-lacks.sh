# The host's system, then what it lacks, a line each: of what must be there from the first login on, and of what is installed
# where the system is a known one.
# var base: programs of the first kind
# var installed: those of the second
# var firewall: yes or no
# shellcheck disable=SC1091
( . /etc/os-release; echo "${ID:-}${VERSION_ID:-}" ) 2>/dev/null || echo unknown
[ -d /run/systemd/system ] || echo 'base systemd'
for program in $base; do command -v "$program" >/dev/null || echo "base $program"; done
for program in $installed; do command -v "$program" >/dev/null || echo "installed $program"; done
# A kernel can be too old, or a virtual machine's kernel somebody else's.
[ "$firewall" = no ] || ! command -v nft >/dev/null || nft list tables >/dev/null 2>&1 || echo 'base nf_tables in the kernel'
