# Names the node, now and at each boot. /etc/hosts is written in place: in a container it is a mount of its own.
# var name: the node's
# var address: its private one
# var public: the one that people reach it by
# var is_listed: yes: the host is its owner's, who is told what it was called
# after aside, hostname-common
before=$(cat /etc/hostname 2>/dev/null) || before=
if [ "$is_listed" = yes ] && [ -n "$before" ] && [ "$before" != "$name" ]; then
  told "the host name was $before"
fi
printf '%s\n' "$name" > /etc/hostname
hostname -- "$name"
rest=$(sed "/^$begin/,/^$end/d; s/^127\.0\.1\.1[[:space:]]/# before mesosflow: &/" /etc/hosts)
printf '%s\n%s\n%s\n%s\n' "$rest" "$begin" "$block" "$end" > /etc/hosts.mesosflow
cat /etc/hosts.mesosflow > /etc/hosts
rm /etc/hosts.mesosflow
mkdir -p /etc/mesosflow
printf '%s\n' "$env" > /etc/mesosflow/node.env.new
mv /etc/mesosflow/node.env.new /etc/mesosflow/node.env
