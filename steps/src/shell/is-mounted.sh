# Functions. `is_mounted`: what is seen at $mount is $device; several things may be mounted there, the last one counts.
# needs device: the block device
# needs mount: where it belongs
number() { stat --dereference --format '%t:%T' -- "$1" 2>/dev/null; }
is_mounted() {
  top=$(findmnt --noheadings --output SOURCE --mountpoint "$mount" | tail -n 1)
  [ -n "$top" ] && [ -b "$top" ] && [ "$(number "$device")" = "$(number "$top")" ]
}
