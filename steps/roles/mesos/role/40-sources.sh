# ---- The sources ----

ask_file() {
  if [ -e "$cluster_file" ]; then
    cat "$cluster_file" > "$work/raw"
    take file yes || :
  elif [ -s "$memory/file" ]; then
    refuse file "is not there"
  fi
}

# `ask_metadata PATH`: into $work/answer; 4: there is no such thing; 1: no answer that counts.
ask_metadata() {
  status=$(curl --silent --noproxy '*' --connect-timeout 2 --max-time 2 --max-filesize 16384 --header "@$work/token" \
    --output "$work/answer" --write-out '%{http_code}' "$metadata/meta-data/$1" 2>/dev/null) || return 1
  case $status in
    200) [ "$(wc -c < "$work/answer")" -le 1024 ] || return 1 ;;
    404) return 4 ;;
    *) return 1 ;;
  esac
}
# One that has to be there for all that follows: `own KEY PATH PATTERN`, where the pattern is awk's.
own() {
  result=0
  ask_metadata "$2" || result=$?
  case $result in
    0) ;;
    4) return 0 ;;
    *) silent=yes; return 1 ;;
  esac
  text=$(cat "$work/answer")
  printf '%s\n' "$text" | awk -v pattern="$3" 'NR > 1 || $0 !~ pattern { exit 1 }' || {
    state metadata "refused: EC2's metadata has something for $2 that it cannot be"
    return 0
  }
  printf '%s=%s\n' "$1" "$text" >> "$work/own"
}
ask_ec2() {
  : > "$work/own"
  silent=no
  command -v curl > /dev/null || { state metadata "curl is missing: EC2's metadata is not asked"; refuse tags "cannot be asked without curl"; return 0; }
  printf 'X-aws-ec2-metadata-token-ttl-seconds: 60\n' > "$work/ttl"
  (umask 077; : > "$work/token"; : > "$work/answer")
  if ! curl --silent --fail --noproxy '*' --connect-timeout 2 --max-time 2 --max-filesize 4096 --request PUT --header "@$work/ttl" \
    --output "$work/answer" "$metadata/api/token" 2>/dev/null || ! grep -qx '[A-Za-z0-9+/=_-]*' "$work/answer"; then
    refuse tags "do not answer"
    return 0
  fi
  printf 'X-aws-ec2-metadata-token: %s\n' "$(cat "$work/answer")" > "$work/token"
  # shellcheck disable=SC2015 # Each of them may end it.
  own ip local-ipv4 '^[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+$' &&
    own public_ip public-ipv4 '^[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+$' &&
    own public_name public-hostname '^[A-Za-z0-9][A-Za-z0-9.-]*$' &&
    own name local-hostname '^[A-Za-z0-9][A-Za-z0-9.-]*$' &&
    own zone placement/availability-zone '^[a-z0-9-]+$' &&
    own type instance-type '^[a-z0-9.-]+$' || :
  [ "$silent" = no ] || { refuse tags "do not answer"; return 0; }
  : > "$work/raw"
  there=no
  for key in epoch masters zookeepers master role cluster; do
    result=0
    ask_metadata "tags/instance/mesosflow:$key" || result=$?
    case $result in
      0) ;;
      4) continue ;;
      *) refuse tags "do not answer"; return 0 ;;
    esac
    if [ "$(wc -l < "$work/answer")" -gt 1 ] || grep -q '[^ -~]' "$work/answer"; then
      refuse tags "have something for mesosflow:$key that is no tag of mesosflow's"
      return 0
    fi
    text=$(cat "$work/answer")
    case $key in
      role) [ "$text" = zookeeper ] || text=mesos-$text ;;
      epoch) there=yes ;;
    esac
    printf '%s=%s\n' "$key" "$text" >> "$work/raw"
  done
  # Tags of the launch alone, or none: they know nothing of where the cluster is.
  if [ "$there" = no ]; then forget tags; return 0; fi
  take tags no || return 0
  for key in cluster role; do
    said=$(fact "$work/tags" "$key")
    known=$(fact "$work/file" "$key")
    if [ -n "$said" ] && [ -n "$known" ] && [ "$said" != "$known" ]; then
      forget tags
      rm -f "$work/tags"
      refuse tags "say $key $said, and the node is of $key $known"
      return 0
    fi
  done
}

srv_records() {
  if command -v host > /dev/null; then
    timeout 5 host -W 2 -R 1 -t SRV "$1" 2>/dev/null | sed -n 's/^.* has SRV record \([0-9]* [0-9]* [0-9]* .*\)$/\1/p'
  elif command -v dig > /dev/null; then
    timeout 5 dig +short +time=2 +tries=1 SRV "$1" 2>/dev/null
  else
    state dns-tool "neither host nor dig is here: SRV records are not asked for"
  fi
}
addresses() { timeout 5 getent ahostsv4 "$1" 2>/dev/null | awk '!seen[$1]++ { print $1 }'; }
places() { sort -u | paste -s -d , -; }
ask_dns() {
  domain=$(fact "$work/file" dns_domain)
  name=$(fact "$work/file" dns_name)
  [ -n "$domain$name" ] || { forget dns; return 0; }
  found=
  if [ "$lone" = no ]; then
    [ -z "$domain" ] || found=$(srv_records "_mesos-zk._tcp.$domain." | awk 'NF == 4 { sub(/[.]$/, "", $4); print $4 ":" $3 }' | places)
    [ -n "$found" ] || [ -z "$name" ] || found=$(addresses "$name" | sed "s/\$/:$zookeeper_port/" | places)
    printf 'epoch=0\nzookeepers=%s\n' "$found" > "$work/raw"
  else
    [ -z "$domain" ] || found=$(srv_records "_mesos-master._tcp.$domain." | awk 'NF == 4 { sub(/[.]$/, "", $4); print $4 ":" $3 }' | head -n 1)
    [ -n "$found" ] || [ -z "$name" ] || found=$(addresses "$name" | sed "s/\$/:$master_port/" | head -n 1)
    printf 'epoch=0\nmaster=%s\n' "$found" > "$work/raw"
  fi
  if [ -z "$found" ]; then refuse dns "does not know"; return 0; fi
  take dns no || :
}

