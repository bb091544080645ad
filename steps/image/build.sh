#!/bin/bash
# Makes the image that local nodes are started from: Debian bookworm with systemd, sshd, Java, ZooKeeper, NFS,
# Hadoop 2.7.3 (HDFS) and Spark 3.5.9.
#
#     build.sh --engine "podman" --tag localhost/mesosflow-node:latest --work DIR [--cache DIR] [--recipe SHA]
#     build.sh --archives [--cache DIR]
#     build.sh --digest
#
# No image registry is needed: the tree comes from Debian's package mirrors through mmdebstrap, Hadoop and Spark from
# PyPI (software/archive.env says which). Needs root, for a chroot.
#
# --archives only sees to the archives in the cache, and prints their folder.
#
# --digest prints the number that names this recipe: the sha256 of the lines `sha256sum` prints for its files, sorted
# by path. --recipe puts such a number on the image as a label, so that a changed recipe is noticed.
set -euo pipefail
export LC_ALL=C

recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# The archives' names and digests; the nodes of a stock image get the same ones.
# shellcheck source=software/archive.env
. "$recipe/software/archive.env"
readonly PIP_ATTEMPTS=3

say() { echo "image: $*"; }
die() {
    echo "build.sh: $*" >&2
    exit 1
}

digest() {
    (cd "$recipe" && find . -type f -printf '%P\n' | sort | xargs -d '\n' sha256sum | sha256sum | cut -d ' ' -f 1)
}

engine=
tag=
work=
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/mesosflow
label=
only_archives=
while [ $# -gt 0 ]; do
    case $1 in
        --digest)
            digest
            exit 0
            ;;
        --archives)
            only_archives=yes
            shift
            ;;
        --engine | --tag | --work | --cache | --recipe)
            [ $# -ge 2 ] || die "$1 needs a value"
            case $1 in
                --engine) engine=$2 ;;
                --tag) tag=$2 ;;
                --work) work=$2 ;;
                --cache) cache=$2 ;;
                --recipe) label=$2 ;;
            esac
            shift 2
            ;;
        *) die "unknown argument: $1" ;;
    esac
done
if [ -n "$only_archives" ]; then
    work=${work:-/var/tmp}
    engine=true
    tag=none
fi
[ -n "$engine" ] || die "--engine is missing (for example: --engine podman)"
[ -n "$tag" ] || die "--tag is missing (for example: --tag localhost/mesosflow-node:latest)"
[ -n "$work" ] || die "--work is missing (a folder for temporary files, about 2 GB)"
[ -n "$only_archives" ] || [ "$(id -u)" = 0 ] || die "making a node image needs root (it installs packages into a chroot)"
# A command with its global options, as in "podman --runtime runc".
read -r -a engine_command <<<"$engine"
command -v "${engine_command[0]}" >/dev/null || die "no ${engine_command[0]} on this machine"

mkdir -p "$work" "$cache"
scratch=$(mktemp -d "$work/image.XXXXXX")
child=
cleanup() {
    if [ -n "$child" ]; then
        # The whole group: mmdebstrap itself looks away while its hooks run.
        kill -TERM -- "-$child" 2>/dev/null || true
        for _ in $(seq 50); do kill -0 "$child" 2>/dev/null || break; sleep 0.1; done
        kill -KILL -- "-$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
    # Something mounted by an interrupted hook must not be walked into by rm.
    awk -v root="$scratch" 'index($2, root) == 1 { print $2 }' /proc/self/mounts | sort -r | while read -r mounted; do
        umount -l "$mounted" || true
    done
    rm -rf --one-file-system "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- tools -----------------------------------------------------------------------------------------------------------

needed=()
command -v mmdebstrap >/dev/null || needed+=(mmdebstrap)
command -v curl >/dev/null || command -v pip3 >/dev/null || needed+=(curl)
if [ ${#needed[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || die "needs ${needed[*]}, and there is no apt-get to install it with"
    say "installing ${needed[*]} on this machine"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${needed[@]}" >"$scratch/apt.log" 2>&1 ||
        { tail -n 20 "$scratch/apt.log" >&2; die "could not install ${needed[*]}"; }
fi

# --- Hadoop and Spark ------------------------------------------------------------------------------------------------

verified() { # FILE SHA256
    [ -f "$1" ] && echo "$2  $1" | sha256sum --check --status
}

# Under its final name only when whole: two builds at once, or a crash, leave no half archive.
keep() {
    cp "$1" "$cache/${1##*/}.$$"
    mv "$cache/${1##*/}.$$" "$cache/${1##*/}"
}

# pip knows the mirror that this machine is told to use. It insists on asking the archive's setup.py for its name,
# which needs two old friends of setuptools; nothing of the archive is built or installed.
download_with_pip() { # ARCHIVE SHA256
    python3 -m pip --version >/dev/null 2>&1 || return 1
    [ -d "$scratch/pip" ] ||
        python3 -m pip install -q --disable-pip-version-check --no-warn-script-location --root-user-action=ignore \
            --target "$scratch/pip" wheel 'setuptools<58' || return 1
    PYTHONPATH=$scratch/pip python3 -m pip download -q --disable-pip-version-check --no-deps --no-build-isolation \
        --no-binary :all: --dest "$scratch/download" "${1/-/==}" || return 1
    verified "$scratch/download/$1.tar.gz" "$2" || return 1
    keep "$scratch/download/$1.tar.gz"
}

see_to() { # ARCHIVE SHA256 MB
    local attempt
    if verified "$cache/$1.tar.gz" "$2"; then
        say "$1 is in the cache ($cache/$1.tar.gz)"
        return
    fi
    say "downloading $1 ($3 MB)"
    for attempt in $(seq "$PIP_ATTEMPTS"); do
        if download_with_pip "$1" "$2" 2>"$scratch/download.log"; then return; fi
        say "pip did not get it (try $attempt of $PIP_ATTEMPTS): $(tail -n 1 "$scratch/download.log")"
    done
    bash "$recipe/software/layout.sh" fetch "$scratch/nothing" "$scratch/archives"
    keep "$scratch/archives/$1.tar.gz"
}

see_to "$HADOOP_ARCHIVE" "$HADOOP_SHA256" "$HADOOP_MB"
see_to "$SPARK_ARCHIVE" "$SPARK_SHA256" "$SPARK_MB"

if [ -n "$only_archives" ]; then
    echo "$cache"
    exit 0
fi

# --- the tree --------------------------------------------------------------------------------------------------------

say "installing Debian packages (about a minute)"
packages=$(grep -vE '^(#|$)' "$recipe/packages.list" | paste -sd, -)
# Manuals, translations and documents are a fifth of such a tree. The empty folders stay, because the alternatives
# system of the JRE wants to put links there.
#
# In the background, because the shell only notices that it is to stop once a command in the foreground has ended.
# shellcheck disable=SC2016 # mmdebstrap's hooks know $1
setsid mmdebstrap --mode=root --variant=minbase --include="$packages" \
    --aptopt='Apt::Install-Recommends "false"' --aptopt='Acquire::Retries "5"' --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/man/*/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='force-unsafe-io' \
    --essential-hook='mkdir -p "$1/usr/share/man/man1"' \
    --customize-hook="bash '$recipe/customize.sh' \"\$1\" '$recipe' '$cache' >&3" \
    bookworm "$scratch/node.tar" 3>&1 >"$scratch/mmdebstrap.log" 2>&1 &
child=$!
wait "$child" || { child=; tail -n 30 "$scratch/mmdebstrap.log" >&2; die "mmdebstrap failed"; }
child=

# --- the image -------------------------------------------------------------------------------------------------------

say "importing the image as $tag"
# The two folders that stand for disks are volumes, not layers: an overlay has no file handles, without which no NFS
# server can export from it, and HDFS writes to a real file system. They go when a node is removed with `rm --volumes`.
changes=(--change 'CMD ["/sbin/init"]' --change 'STOPSIGNAL SIGRTMIN+3' --change 'ENV container=oci'
    --change 'VOLUME /mnt' --change 'VOLUME /vol')
[ -z "$label" ] || changes+=(--change "LABEL org.mesosflow.recipe=$label")
"${engine_command[@]}" import "${changes[@]}" "$scratch/node.tar" "$tag" >"$scratch/import.log" 2>&1 ||
    { tail -n 10 "$scratch/import.log" >&2; die "$engine could not import the image"; }
say "done ($(du -m "$scratch/node.tar" | cut -f 1) MB)"
