# Takes away what a copy that was interrupted has left.
# var target: as in copy-file.sh
# var into: as there
# var name: as there
# var nonce: as there
set -eu
if [ "$into" = yes ] || [ -d "$target" ]; then target=${target%/}/$name; fi
rm -f -- "$(dirname -- "$target")/.$(basename -- "$target").mesosflow.$nonce"
