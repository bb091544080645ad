# Whether a daemon of Mesos is well by its own word; what it lacks is printed otherwise. A version that does not say is believed.
# var address: of its node
# var port: its own
# var metric: what it says of itself, its words separated by spaces
said=$(curl -fsS --max-time 5 "http://$address:$port/metrics/snapshot" 2>/dev/null) || { echo 'does not answer'; exit 0; }
pattern=$(printf %s "$metric" | sed 's/ /[\\]*\\\//g')
value=$(printf %s "$said" | sed -n "s/.*\"$pattern\":\([0-9.]*\).*/\1/p")
case $value in '' | 1 | 1.0) ;; *) echo "says $(printf %s "$metric" | tr ' ' /)=$value" ;; esac
