# Fetches Hadoop, Spark and ZooKeeper and lays them out. A replay may come while an earlier try is still at it.
# var folder: where the layout's own script is
# var url: of the archives' folder, or empty: PyPI
exec 8>"$folder/lock"
flock 8
archives=$folder/archives
bash "$folder/layout/layout.sh" fetch "$archives" ${url:+"$url"}
bash "$folder/layout/layout.sh" unpack / "$archives"
bash "$folder/layout/layout.sh" link /
rm -rf "$archives"
