# Removes what a roll has left beside Mesos. A Mesos of before that is not mesosflow's, such as the image's, is kept under a dated name.
# var place: where Mesos is
# var next: the one that waited
# var former: the one of before
# after aside
rm -rf "$next" "$next.by" "$next.part"
if [ -e "$former" ] && [ ! -e "$former/.mesosflow-source" ] &&
  ! grep --quiet --line-regexp --fixed-strings -e "$(nature "$former")" "$(claim_of "$place")" 2>/dev/null; then
  to=$place.$(date -u +%Y%m%d-%H%M%S)
  while [ -e "$to" ] || [ -h "$to" ]; do to=$to.1; done
  mv -T "$former" "$to"
  told "$place is now $to"
fi
rm -rf "$former"
