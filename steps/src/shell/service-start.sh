# Installs the unit, enables it for the next boot and starts it anew.
# var unit: the unit
# var units: the folder of the file that is laid as it
# var config: the folders of its configuration
# after on-disk, aside, service-stamp
lay_file "$units/$unit" "/etc/systemd/system/$unit"
systemctl daemon-reload
systemctl enable --quiet "$unit"
# systemd would wait a minute and a half for a disk that is not there, and not say which.
for mount in $(missing_for "$unit"); do
  # With `nofail`, a mount of nothing succeeds.
  mount -- "$mount" >&2 && mountpoint --quiet -- "$mount" ||
    { echo "$unit does not start without $mount, which is not mounted" >&2; exit 4; }
done
systemctl reset-failed "$unit" 2>/dev/null || true
mkdir -p /run/mesosflow
echo starts > "$file"
systemctl restart "$unit"
stamp > "$file.new"
mv "$file.new" "$file"
