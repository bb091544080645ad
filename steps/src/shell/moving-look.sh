# What a machine has that moves with it, and what does not: a line `moves KIB PATH` or `stays KIB PATH` for each. All else is laid down anew by
# whoever sets a machine up.
# var moving: the paths that move, separated by spaces
# var ours: names in /mnt and /vol that are laid down anew, or are HDFS' own, separated by spaces
# var ours_of_root: the same in /root
size() { du -skx -- "$2" 2>/dev/null | awk -v what="$1" -v path="$2" '{ print what, $1, path; exit }'; }
for path in $moving; do if [ -e "$path" ]; then size moves "$path"; fi; done
for path in /root/* /root/.[!.]* /mnt/* /vol/* /home/* /srv/* /opt/*; do
  [ -e "$path" ] || continue
  case " $moving " in *" $path "*) continue ;; esac
  case $path in
    /opt/mesosflow) continue ;;
    /root/*) case " $ours_of_root " in *" ${path##*/} "*) continue ;; esac ;;
    /mnt/* | /vol/*) case " $ours " in *" ${path##*/} "*) continue ;; esac ;;
  esac
  size stays "$path"
done
# Flags of a user's own: those of mesosflow's are in a list beside them.
for folder in /etc/mesos /etc/mesos-master /etc/mesos-slave; do
  for path in "$folder"/*; do
    [ -f "$path" ] || continue
    grep -q -- "^${path##*/} " "$folder/.mesosflow" 2>/dev/null || size stays "$path"
  done
done
