# Refuses (exit status 4) a complete file system of another generation than the Hadoop that is laid out. Hadoop 2.7 writes layout -63; every
# Hadoop 3 a lower number, which 2 cannot read, and reads the higher ones only after an upgrade.
# var home: the folder of the file system
# var name: its namenode's
# var kind: ephemeral or persistent
# after on-disk
on_disk "$home"
case $(readlink -f "/root/$kind-hdfs/bin/hdfs") in
  /opt/mesosflow/hadoop/*) chosen=$(cat /opt/mesosflow/hadoop/version) ;;
  /opt/mesosflow/*) chosen=2 ;;
  # The machine's own: its namenode says itself what it can serve.
  *) exit 0 ;;
esac
layout=$(sed -n 's/^layoutVersion=//p' "$name/current/VERSION" 2>/dev/null) || layout=
case $layout in -[0-9]*) ;; *) exit 0 ;; esac
made=2
[ "$layout" -gt -64 ] || made=3
[ "${chosen%%.*}" = "$made" ] || {
  echo "$name was written by Hadoop $made (layout $layout), and Hadoop $chosen is laid out" >&2
  exit 4
}
