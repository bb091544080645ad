# Functions. Anybody may write to /tmp, and have put there what root must not write through or read. What is root's alone in a
# sticky folder, nobody else can replace.
# sets folder: where the number goes
folder=/tmp/zookeeper
kind() { LC_ALL=C stat --format '%F %u' -- "$1" 2>/dev/null; }
is_ours() { [ "$(kind "$folder")" = 'directory 0' ] && [ -z "$(find "$folder" -maxdepth 0 -perm /022)" ]; }
