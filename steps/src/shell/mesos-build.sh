# Builds Mesos from git. Installed below a folder of its own first: what is half built is never taken for Mesos. Whoever asks for
# a password is told what the netrc says, or nothing: there is nobody to ask. The number of a commit is never taken for the name
# of a branch.
# var place: the folder that it is put in
# var repository: its URL
# var branch: a branch, a tag or the number of a commit
# var flags: of configure, quoted
# var mark: what says where it came from
# var secret: the folder of the netrc, or empty
# after aside, mesos-put
trap '[ -z "$secret" ] || rm -rf -- "$secret"' EXIT
export GIT_TERMINAL_PROMPT=0
# shellcheck disable=SC2097,SC2098 # the home folder of before
fetching() { if [ -n "$secret" ]; then GIT_CONFIG_GLOBAL=${HOME:-/root}/.gitconfig HOME=$secret git "$@"; else git "$@"; fi; }
mkdir -p /root/.mesosflow-build
cd /root/.mesosflow-build
if [ ! -d source/.git ]; then
  rm -rf source.new
  fetching clone -- "$repository" source.new
  mv source.new source
fi
cd source
fetching fetch --tags origin
[ -z "$secret" ] || rm -rf -- "$secret"
case $branch in
  *[!0-9a-fA-F]*) is_commit=no ;;
  *) case ${#branch} in 40 | 64) is_commit=yes ;; *) is_commit=no ;; esac ;;
esac
if [ "$is_commit" = yes ]; then git checkout --force --detach "$branch^{commit}"
else git checkout --force --detach "origin/$branch" 2>/dev/null || git checkout --force --detach "$branch"
fi
[ -x configure ] || ./bootstrap
mkdir -p build
cd build
eval "../configure --prefix=/root/mesos $flags"
# No more compilers at once than there is memory for.
jobs=$(awk '/^(MemTotal|SwapTotal):/ { total += $2 } END { jobs = int(total / 2097152); print jobs < 1 ? 1 : jobs }' /proc/meminfo)
[ "$jobs" -le "$(nproc)" ] || jobs=$(nproc)
make -j"$jobs"
rm -rf /root/.mesosflow-build/install
make install DESTDIR=/root/.mesosflow-build/install
printf '%s\n' "$mark" > /root/.mesosflow-build/install/root/mesos/.mesosflow-source
put /root/.mesosflow-build/install/root/mesos
