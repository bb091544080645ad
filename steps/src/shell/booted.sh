# Whether cloud-init is through with the first boot, where there is one: `ready`, `failed` and its last words, or the state. A
# machine of mesosflow's own image has none.
command -v cloud-init >/dev/null || { echo ready; exit 0; }
state=$(cloud-init status 2>/dev/null | sed -n 's/^status: //p') || true
case $state in
  done | disabled | degraded*) echo ready ;;
  error) echo failed; cloud-init status --long 2>/dev/null | tail -n 3; tail -n 5 /var/log/cloud-init-output.log 2>/dev/null || true ;;
  *) echo "${state:-not begun}" ;;
esac
