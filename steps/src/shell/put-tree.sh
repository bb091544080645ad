# Unpacks standard input beside $target and brings that folder to the same state.
#
# Folders that exist keep their owner and mode. Unless the target becomes a mirror, links to folders stay links, and what belongs
# below them goes where they lead: the tree may be laid over /. (rsync's own option for that, --keep-dirlinks, fails in rsync 3.5
# for links that lead out of the target.)
# var target: the path
# var delete: yes: what the tree does not have goes
# var mode: of the folder, where it is made
set -eu
target=${target%/}
[ -n "$target" ] || { target=/; [ "$delete" = no ] || { echo "refusing to delete from /" >&2; exit 64; }; }
folder=$(dirname -- "$target")
mkdir -p -- "$folder"
find "$folder" -maxdepth 1 -name '.mesosflow-tree.*' -mmin +1440 -exec rm -rf -- {} + 2>/dev/null || :
staging=$(mktemp -d -- "$folder/.mesosflow-tree.XXXXXX")
trap 'rm -rf -- "$staging"' EXIT
chmod -- "$mode" "$staging"
tar -x -p --no-same-owner -f - -C "$staging"
cd -- "$staging"
target=$target find . -type d -exec sh -c '
for d do
  if [ -d "$target/$d" ]; then
    chmod --reference="$target/$d" -- "$d"
    chown --reference="$target/$d" -- "$d"
  fi
done' sh {} +
[ -d "$target" ] || mkdir -- "$target"
if [ "$delete" = yes ]; then
  set -- --delete-after
else
  set --
  target=$target find . -depth -type d ! -name . -exec sh -c '
for d do
  if [ -h "$target/$d" ] && [ -d "$target/$d" ]; then
    rsync -a --checksum --omit-dir-times -- "$d/" "$target/$d/" || exit
    rm -rf -- "$d"
  fi
done' sh {} +
fi
cd /
rsync -a --checksum --omit-dir-times "$@" -- "$staging/" "$target/"
sync -f -- "$target"
