# Puts standard input at $target, whole or not at all: received beside it, compared with the digest, written to the disk,
# then moved.
# var target: an absolute path
# var into: yes: it is a folder
# var name: of the file, in a folder
# var digest: SHA-256
# var mode: of the file
# var nonce: tells this copy from others
set -eu
if [ "$into" = yes ] || [ -d "$target" ]; then target=${target%/}/$name; fi
[ ! -d "$target" ] || { echo "$target is a folder" >&2; exit 73; }
folder=$(dirname -- "$target")
[ -d "$folder" ] || mkdir -p -- "$folder"
base=.$(basename -- "$target").mesosflow
# What a copy that was killed had left.
find "$folder" -maxdepth 1 -type f -name "$base.*" -mmin +1440 -exec rm -f -- {} + 2>/dev/null || :
umask 077
part=$folder/$base.$nonce
set -C
: >"$part"
set +C
trap 'rm -f -- "$part"' EXIT
cat >"$part"
# Three times as fast where processors compute it themselves.
sum() { if command -v openssl >/dev/null; then openssl dgst -sha256 -r; else sha256sum; fi; }
[ "$(sum <"$part" | cut -c1-64)" = "$digest" ] || { echo "what arrived is not what was sent" >&2; exit 74; }
chmod -- "$mode" "$part"
sync -- "$part"
mv -fT -- "$part" "$target"
trap - EXIT
sync -- "$folder"
