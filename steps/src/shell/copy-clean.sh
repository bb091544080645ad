# Takes away what a copy that was interrupted has left. Variables: target, into, name, nonce as in copy-file.sh.
set -eu
if [ "$into" = yes ] || [ -d "$target" ]; then target=${target%/}/$name; fi
rm -f -- "$(dirname -- "$target")/.$(basename -- "$target").mesosflow.$nonce"
