# Whether exactly this table is loaded now and at the next boot. nft itself shows no rules as they were written: a comment in them
# says which file they are from. Needs `is_loaded`.
# var file: of the rules
# var unit: the name of the unit that loads them
# var addition: the addition to nftables' own unit
# var rules: the table
# var text: of the unit
# var added: the text of the addition
# var digest: that comment
[ "$(cat "$file" 2>/dev/null)" = "$rules" ] || exit 1
[ "$(cat "/etc/systemd/system/$unit" 2>/dev/null)" = "$text" ] || exit 1
[ "$(cat "$addition" 2>/dev/null)" = "$added" ] || exit 1
systemctl is-enabled --quiet "$unit" && systemctl is-active --quiet "$unit" || exit 1
is_loaded "$unit" && is_loaded nftables.service || exit 1
nft list table inet mesosflow 2>/dev/null | grep --quiet --fixed-strings "$digest" || exit 1
