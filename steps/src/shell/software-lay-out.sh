# Fetches Hadoop, Spark and ZooKeeper and lays them out. A replay may come while an earlier try is still at it.
# var folder: where the layout's own script is
# var url: of the archive, or empty: PyPI
exec 8>"$folder/lock"
flock 8
archive=$folder/archive.tar.gz
bash "$folder/layout/layout.sh" fetch "$archive" ${url:+"$url"}
bash "$folder/layout/layout.sh" unpack / "$archive"
bash "$folder/layout/layout.sh" link /
rm -f "$archive"
