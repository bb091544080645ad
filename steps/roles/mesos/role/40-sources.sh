# ---- The sources ----

ask_file() {
  if [ -e "$cluster_file" ] && [ ! -f "$cluster_file" ]; then
    refuse file "is no file"
  elif [ -e "$cluster_file" ]; then
    cat "$cluster_file" > "$work/raw"
    take file whole
  elif [ -s "$memory/file" ]; then
    refuse file "is not there"
  fi
}

# What is asked of EC2's metadata: a fact of the node's own, or one of its tags; its key; where it is.
asked_of_ec2="own ip local-ipv4
own public_ip public-ipv4
own public_name public-hostname
own name local-hostname
own zone placement/availability-zone
own type instance-type
tags epoch tags/instance/mesosflow:epoch
tags masters tags/instance/mesosflow:masters
tags zookeepers tags/instance/mesosflow:zookeepers
tags master tags/instance/mesosflow:master
tags role tags/instance/mesosflow:role
tags cluster tags/instance/mesosflow:cluster"

# Two seconds for each answer, and nothing more once one has not come. 4 is told from others: there is no such thing.
ask_metadata() { curl --silent --noproxy '*' --connect-timeout 2 --max-time 2 --max-filesize 16384 "$@" 2>/dev/null; }
# The only line of an answer, into $text; 1 where it is no such line, of letters that can be read.
line_of() {
  [ "$(wc -c < "$1")" -le 1024 ] || return 1
  { text=$(cat "$1"); } 2>/dev/null
  printf '%s' "$text" | cmp -s - "$1" || printf '%s\n' "$text" | cmp -s - "$1" || return 1
  case $text in *[!\ -~]*) return 1 ;; esac
}
fetch_metadata() {
  : > "$work/token"
  printf 'X-aws-ec2-metadata-token-ttl-seconds: 60\n' > "$work/ttl"
  ask_metadata --fail --request PUT --header "@$work/ttl" --output "$work/answer" "$metadata/api/token" || return 1
  line_of "$work/answer" || return 1
  case $text in *[!A-Za-z0-9+/=_-]* | '') return 1 ;; esac
  printf 'X-aws-ec2-metadata-token: %s\n' "$text" > "$work/token"
  rm -rf "$work/answers"
  mkdir "$work/answers"
  set --
  while read -r _ key path; do
    set -- "$@" --output "$work/answers/$key" "$metadata/meta-data/$path"
  done <<END
$asked_of_ec2
END
  # One after the other by one connection; each status, in their order.
  ask_metadata --fail-early --header "@$work/token" --write-out '%{http_code}\n' "$@" > "$work/statuses"
}
ask_ec2() {
  : > "$work/own"
  : > "$work/raw"
  there=no
  if ! command -v curl > /dev/null; then silent="cannot be asked without curl"
  elif fetch_metadata && ! grep -qvx '200\|404' "$work/statuses"; then silent=
  else silent="does not answer"
  fi
  if [ -n "$silent" ]; then
    # Its name and zone are what they were.
    cp "$memory/own" "$work/own" 2>/dev/null || :
    refuse tags "$silent"
    return 0
  fi
  printf '%s\n' "$asked_of_ec2" | paste -d ' ' "$work/statuses" - > "$work/told"
  while read -r status kind key path; do
    [ "$status" = 200 ] || continue
    if [ "$kind" = own ]; then
      if line_of "$work/answers/$key" && printf '%s=%s\n' "$key" "$text" | believed each >> "$work/own" 2>/dev/null; then
        over "own-$key"
      else
        grep "^$key=" "$memory/own" >> "$work/own" 2>/dev/null || :
        state "own-$key" "refused: EC2's metadata has something for $path that it cannot be"
      fi
    elif ! line_of "$work/answers/$key"; then
      refuse tags "has something for mesosflow:$key that is no tag of mesosflow's"
      return 0
    else
      case $key in
        role) text=mesos-$text ;;
        epoch) there=yes ;;
      esac
      printf '%s=%s\n' "$key" "$text" >> "$work/raw"
    fi
  done < "$work/told"
  remember own
  if [ "$there" = no ]; then
    # Those of the launch alone know nothing of where the cluster is.
    [ ! -s "$memory/tags" ] || refuse tags "has no tags of mesosflow's any more"
    return 0
  fi
  believed said < "$work/raw" > "$work/said" 2>/dev/null || : > "$work/said"
  for key in cluster role; do
    said=$(fact "$work/said" "$key")
    known=$(fact "$work/file" "$key")
    if [ -n "$said" ] && [ -n "$known" ] && [ "$said" != "$known" ]; then
      refuse tags "says $key=$said, and the node is of $known"
      return 0
    fi
  done
  take tags said
}

# What the SRV records of a name point to, as HOST:PORT.
srv_records() {
  if command -v host > /dev/null; then
    timeout 5 host -W 2 -R 1 -t SRV "$1" 2>/dev/null | sed -n 's/^.* has SRV record \([0-9]* [0-9]* [0-9]* .*\)$/\1/p'
  elif command -v dig > /dev/null; then
    timeout 5 dig +short +time=2 +tries=1 SRV "$1" 2>/dev/null
  else
    state dns-tool "neither host nor dig is here: SRV records are not asked for"
  fi | awk 'NF == 4 { sub(/[.]$/, "", $4); print $4 ":" $3 }'
}
addresses() { timeout 5 getent ahostsv4 "$1" 2>/dev/null | awk '!seen[$1]++ { print $1 }'; }
places() { sort -u | paste -s -d , -; }
ask_dns() {
  domain=$(fact "$work/file" dns_domain)
  name=$(fact "$work/file" dns_name)
  [ -n "$domain$name" ] || { forget dns; return 0; }
  found=
  if [ "$lone" = no ]; then
    [ -z "$domain" ] || found=$(srv_records "_mesos-zk._tcp.$domain." | places)
    [ -n "$found" ] || [ -z "$name" ] || found=$(addresses "$name" | sed "s/\$/:$zookeeper_port/" | places)
    printf 'epoch=0\nzookeepers=%s\n' "$found" > "$work/raw"
  else
    [ -z "$domain" ] || found=$(srv_records "_mesos-master._tcp.$domain." | head -n 1)
    [ -n "$found" ] || [ -z "$name" ] || found=$(addresses "$name" | sed "s/\$/:$master_port/" | head -n 1)
    printf 'epoch=0\nmaster=%s\n' "$found" > "$work/raw"
  fi
  if [ -z "$found" ]; then refuse dns "does not know"; return 0; fi
  take dns said
}

