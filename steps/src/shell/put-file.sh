# Puts standard input at $target: received beside it, compared with the digest, written to the disk, then moved.
# var target: the path
# var digest: SHA-256
# var mode: of the file
set -eu
folder=$(dirname -- "$target")
[ -d "$folder" ] || mkdir -p -- "$folder"
umask 077
part=$(mktemp -- "$folder/.$(basename -- "$target").mesosflow.XXXXXX")
trap 'rm -f -- "$part"' EXIT
cat >"$part"
[ "$(sha256sum <"$part" | cut -c1-64)" = "$digest" ] || { echo "what arrived is not what was sent" >&2; exit 74; }
chmod -- "$mode" "$part"
sync -- "$part"
mv -fT -- "$part" "$target"
trap - EXIT
sync -- "$folder"
