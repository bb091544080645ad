# Makes the folder of Spark's event logs in the persistent HDFS, where that runs: whoever submits jobs writes there, and nobody removes what is
# another's.
systemctl is-active --quiet persistent-hdfs-namenode.service || exit 0
hdfs=/root/persistent-hdfs/bin/hdfs
"$hdfs" dfs -test -d /spark-history || { "$hdfs" dfs -mkdir -p /spark-history && "$hdfs" dfs -chmod 1777 /spark-history; }
