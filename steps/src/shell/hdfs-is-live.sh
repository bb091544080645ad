# Live datanodes and the state of the safe mode, from the namenode's own bean; exit 1 while it is not as wanted.
# var address: the namenode's
# var ui: the port of its web interface
# var wanted: how many datanodes
# var cluster_id: the clusterID
beans=$(curl -fsS --max-time 5 "http://$address:$ui/jmx?qry=Hadoop:service=NameNode,name=*" 2>/dev/null) || exit 1
live=$(printf %s "$beans" | sed -n 's/.*"NumLiveDataNodes" : \([0-9]*\).*/\1/p' | head -n 1)
safe=$(printf %s "$beans" | sed -n 's/.*"Safemode" : "\(.*\)".*/\1/p' | head -n 1)
id=$(printf %s "$beans" | sed -n 's/.*"ClusterId" : "\(.*\)".*/\1/p' | head -n 1)
[ "$live" = "$wanted" ] && [ -z "$safe" ] && [ "$id" = "$cluster_id" ] || exit 1
