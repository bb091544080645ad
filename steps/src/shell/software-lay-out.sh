# Fetches Hadoop, Spark and ZooKeeper and lays them out. A replay may come while an earlier try is still at it.
# var folder: where the layout's own script is
# var url: of the archives' folder, or empty: PyPI
# var chosen: `hadoop URL SHA256` or `spark URL SHA256` a line, for tarballs instead; `-` for the URL of one that was put there
exec 8>"$folder/lock"
flock 8
archives=$folder/archives
bash "$folder/layout/layout.sh" fetch / "$archives" ${url:+"$url"}
[ -z "$chosen" ] || printf '%s\n' "$chosen" | while read -r name from sha256; do
  bash "$folder/layout/layout.sh" bring / "$archives" "$name" "${from#-}" "$sha256"
done
bash "$folder/layout/layout.sh" unpack / "$archives"
bash "$folder/layout/layout.sh" link /
rm -rf "$archives"
