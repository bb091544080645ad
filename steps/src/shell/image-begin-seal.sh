# Begins the script of standard input. One at a time; it belongs to no session.
# var folder: where it is, in memory
umask 077
mkdir -p "$folder"
exec 9>"$folder/lock"
if flock --nonblock 9; then
  cat > "$folder/seal"
  rm -f "$folder/end"
  setsid --fork sh "$folder/seal" </dev/null >"$folder/said" 2>&1
fi
