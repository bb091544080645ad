# Functions. `public FILE COMMENT` prints the public half of a key that has this comment, and nothing if it is not there.
# sets config: standard input, the configuration of the SSH client
config=$(cat)
public() {
  [ "$(stat --format '%F %u %a' -- "$1" 2>/dev/null)" = 'regular file 0 600' ] || return 0
  ssh-keygen -y -P '' -f "$1" 2>/dev/null | grep " $2\$" || true
}
