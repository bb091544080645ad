#!/bin/bash
# Puts Hadoop 2.7.3 (HDFS), Spark 3.5.9 and the ZooKeeper server on a node: into the tree of an image (ROOT is that
# tree), or onto a machine that was launched from a stock image (ROOT is /).
#
#     layout.sh fetch FOLDER [URL]      the archives, verified; what a broken download left is gone on with
#     layout.sh unpack ROOT FOLDER      ROOT/opt/mesosflow from the archives: as a whole, or not at all
#     layout.sh link ROOT               what depends on the machine: class paths, links under ROOT/root; then the mark
#     layout.sh check ROOT              1 unless this very layout is there, whole
#     layout.sh --digest                the number that names this layout
#
# FOLDER has the archives by their names; URL is the folder that they are in, or one of the two.
#
# The mark is ROOT/opt/mesosflow/software. It holds the digest and is written last, so that half a layout has none.
# Beside it stands layout/, this folder, with which a machine that was copied to does its own `link`.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=archive.env
. "$here/archive.env"
readonly HADOOP=/opt/mesosflow/hadoop-2.7.3
readonly SPARK=/opt/mesosflow/spark-3.5.9
readonly ZOOKEEPER=/opt/mesosflow/zookeeper
readonly ATTEMPTS=5

say() { echo "software: $*"; }
die() {
    echo "layout.sh: $*" >&2
    exit 1
}
list() { grep -hvE '^(#|$)' -- "$@"; }
needs() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || die "there is no $program on this machine: install it"
    done
}

# SHA-256 of the lines that `sha256sum` prints for the files here, sorted by path.
digest() {
    (cd "$here" && find . -type f -printf '%P\n' | sort | xargs -d '\n' sha256sum | sha256sum | cut -d ' ' -f 1)
}

verified() { # FILE SHA256
    [ -f "$1" ] && echo "$2  $1" | sha256sum --check --status
}

fetch() { # FOLDER [URL]
    local folder=$1 url=${2:-$ARCHIVES_URL}
    case $url in *.tar.gz) url=${url%/*} ;; esac
    needs curl
    mkdir -p "$folder"
    fetch_one "$folder" "${url%/}" "$HADOOP_ARCHIVE" "$HADOOP_SHA256" "$HADOOP_MB"
    fetch_one "$folder" "${url%/}" "$SPARK_ARCHIVE" "$SPARK_SHA256" "$SPARK_MB"
}

fetch_one() { # FOLDER URL ARCHIVE SHA256 MB
    local file=$1/$3.tar.gz url=$2/$3.tar.gz sha256=$4 attempt status
    if verified "$file" "$sha256"; then
        say "the archive is there ($file)"
        return
    fi
    for attempt in $(seq "$ATTEMPTS"); do
        say "downloading $url ($5 MB), attempt $attempt of $ATTEMPTS"
        status=0
        # A line that stands still for a minute is given up, and gone on with where it broke.
        curl --fail --location --silent --show-error --connect-timeout 20 --speed-limit 1000 --speed-time 60 \
            --continue-at - --output "$file.part" -- "$url" || status=$?
        if verified "$file.part" "$sha256"; then
            mv "$file.part" "$file"
            return
        fi
        case $status in
            0) echo "layout.sh: what came from $url is another file: its SHA-256 is not $sha256" >&2 ;;
            *) echo "layout.sh: curl ended with status $status" >&2 ;;
        esac
        # Whole, and yet wrong; or the server cannot go on where it was broken off (416, no ranges): from the beginning.
        case $status in 0 | 22 | 33 | 36) rm -f "$file.part" ;; esac
        [ "$attempt" = "$ATTEMPTS" ] || sleep $((attempt * 2))
    done
    echo "layout.sh: the archive could not be downloaded from $url and verified in $ATTEMPTS attempts" >&2
    # "Temporary failure" (sysexits.h): another time it may work.
    exit 75
}

# The jars of a list by their names without version; stops at one that is missing.
jars() { # ROOT LIST
    local name jar classpath=
    while read -r name; do
        # The version begins with a digit: `jetty` must not also take `jetty-util`.
        for jar in "$1$HADOOP/jars/$name"-[0-9]*.jar; do
            [ -f "$jar" ] || die "no jar called $name in the archive"
            classpath=$classpath:${jar#"$1"}
        done
    done < <(list "$2")
    echo "${classpath#:}"
}

# The machine's own jars of ZooKeeper; nothing unless every one is there.
packaged_zookeeper() { # ROOT
    local pattern jar classpath=
    while read -r pattern; do
        # shellcheck disable=SC2086 # a pattern is meant to become names
        for jar in "$1"$pattern; do
            [ -f "$jar" ] || return 0
            classpath=$classpath:${jar#"$1"}
        done
    done < <(list "$here/zookeeper/jars-debian.list")
    echo "${classpath#:}"
}

unpack() { # ROOT FOLDER
    local root=${1%/} hadoop=$2/$HADOOP_ARCHIVE.tar.gz spark=$2/$SPARK_ARCHIVE.tar.gz target stage
    needs tar gzip
    verified "$hadoop" "$HADOOP_SHA256" || die "$hadoop is not $HADOOP_ARCHIVE as it was published"
    verified "$spark" "$SPARK_SHA256" || die "$spark is not $SPARK_ARCHIVE as it was published"
    target=$root/opt/mesosflow
    # It is made as the root folder of its own, so that paths inside are the final ones.
    stage=$target.new
    say "unpacking Hadoop 2.7.3 and Spark 3.5.9"
    rm -rf "$stage"
    install -d "$stage$SPARK/python" "$stage$HADOOP/bin" "$stage$ZOOKEEPER/bin"
    install -d "$stage$HADOOP/webapps/hdfs" "$stage$HADOOP/webapps/datanode" "$stage$HADOOP/webapps/secondary"
    # Of the old Spark, only what HDFS and ZooKeeper need. The version begins with a digit.
    list "$here/hadoop/jars.list" "$here/zookeeper/jars-archive.list" | sort -u |
        sed "s|.*|$HADOOP_ARCHIVE/deps/jars/&-[0-9]*.jar|" >"$stage/members"
    tar -xzf "$hadoop" -C "$stage$HADOOP" --no-same-owner --strip-components=2 --wildcards --files-from "$stage/members"
    rm "$stage/members"
    # The Kubernetes client is of no use on Mesos, and large.
    tar -xzf "$spark" -C "$stage$SPARK" --no-same-owner --strip-components=2 --exclude='*.cmd' \
        --exclude='kubernetes-*' "$SPARK_ARCHIVE/deps/jars" "$SPARK_ARCHIVE/deps/bin"
    tar -xzf "$spark" -C "$stage$SPARK/python" --no-same-owner --strip-components=1 \
        "$SPARK_ARCHIVE/pyspark" "$SPARK_ARCHIVE/lib"
    chmod -R u=rwX,go=rX "$stage$SPARK" "$stage$HADOOP"
    chmod 0755 "$stage$SPARK"/bin/*

    install -m 0755 "$here/hadoop/hdfs" "$stage$HADOOP/bin/hdfs"
    install -m 0644 "$here/hadoop/log4j.properties" "$stage$HADOOP/log4j.properties"
    jars "$stage" "$here/hadoop/jars.list" >"$stage$HADOOP/classpath"
    install -m 0755 "$here/zookeeper/zookeeper-server" "$stage$ZOOKEEPER/bin/zookeeper-server"

    cp -R "$here" "$stage/opt/mesosflow/layout"
    chmod -R u=rwX,go=rX "$stage/opt/mesosflow/layout"
    chmod 0755 "$stage/opt/mesosflow/layout/layout.sh"

    rm -rf "$target.old"
    [ ! -e "$target" ] || mv -T "$target" "$target.old"
    mv -T "$stage/opt/mesosflow" "$target"
    rm -rf "$stage" "$target.old"
}

link() { # ROOT
    local root=${1%/} home program classpath
    rm -f "$root/opt/mesosflow/software"
    for home in ephemeral-hdfs persistent-hdfs; do
        install -d "$root/root/$home/bin" "$root/root/$home/conf"
        for program in hdfs hadoop; do
            ln -sfnT "$HADOOP/bin/hdfs" "$root/root/$home/bin/$program"
        done
    done
    # Folders of their own, with links inside: configuration is put into conf/ by rsync, which replaces a link by a folder.
    install -d "$root/root/spark/conf"
    ln -sfnT "$SPARK/bin" "$root/root/spark/bin"
    ln -sfnT "$SPARK/jars" "$root/root/spark/jars"
    ln -sfnT "$SPARK/python" "$root/root/spark/python"

    classpath=$(packaged_zookeeper "$root")
    if [ -n "$classpath" ]; then
        say "ZooKeeper is the one of the system's package"
    else
        classpath=$(jars "$root" "$here/zookeeper/jars-archive.list")
        say "ZooKeeper is the one of the archive"
    fi
    echo "$classpath" >"$root$ZOOKEEPER/classpath.new"
    mv "$root$ZOOKEEPER/classpath.new" "$root$ZOOKEEPER/classpath"

    # On a machine, the mark must not outlive the files in a loss of power.
    [ -n "$root" ] || sync -f "$HADOOP"
    digest >"$root/opt/mesosflow/software.new"
    mv "$root/opt/mesosflow/software.new" "$root/opt/mesosflow/software"
}

check() { # ROOT
    local root=${1%/} home jar
    [ "$(cat "$root/opt/mesosflow/software" 2>/dev/null)" = "$(digest)" ] || exit 1
    for home in ephemeral-hdfs persistent-hdfs; do
        [ "$(readlink "$root/root/$home/bin/hdfs")" = "$HADOOP/bin/hdfs" ] || exit 1
        [ "$(readlink "$root/root/$home/bin/hadoop")" = "$HADOOP/bin/hdfs" ] || exit 1
    done
    [ "$(readlink "$root/root/spark/bin")" = "$SPARK/bin" ] || exit 1
    [ "$(readlink "$root/root/spark/jars")" = "$SPARK/jars" ] || exit 1
    [ "$(readlink "$root/root/spark/python")" = "$SPARK/python" ] || exit 1
    [ -x "$root$HADOOP/bin/hdfs" ] && [ -x "$root$ZOOKEEPER/bin/zookeeper-server" ] || exit 1
    [ -x "$root$SPARK/bin/spark-submit" ] && [ -s "$root$SPARK/python/pyspark/context.py" ] || exit 1
    tr : '\n' <"$root$HADOOP/classpath" | cat - <(tr : '\n' <"$root$ZOOKEEPER/classpath") | while read -r jar; do
        [ -s "$root$jar" ] || exit 1
    done
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command:$# in
    --digest:0) digest ;;
    fetch:1 | fetch:2) fetch "$@" ;;
    unpack:2) unpack "$@" ;;
    link:1) link "$@" ;;
    check:1) check "$@" ;;
    *) die "usage: layout.sh fetch FOLDER [URL] | unpack ROOT FOLDER | link ROOT | check ROOT | --digest" ;;
esac
