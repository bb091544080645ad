//! The drop in a `/tmp` of its own, where a local user has been before. Needs root, as the nodes' scripts have it.

use std::process::{Command, Output};

use super::*;

/// What the user would like to see written, or shown.
const SECRET: &str = "root's own";

/// Runs `plant` as a local user in an empty `/tmp` that only this test sees, then `act` as root. `/tmp/victims` holds what
/// root alone may read and write.
fn in_tmp(plant: &str, act: &str) -> Output {
    let drop = script("drop", DROP);
    let look = script("look", IS_DROPPED);
    let text = format!(
        "mount -t tmpfs -o mode=1777 tmp /tmp
        mkdir -m 700 /tmp/victims && echo \"{SECRET}\" > /tmp/victims/file && mkdir /tmp/victims/folder
        setpriv --reuid=1234 --regid=1234 --clear-groups sh -c {plant}
        drop() {{ ( {drop}
        ); }}
        look() {{ ( {look}
        ); }}
        {act}",
        plant = crate::remote::quote::quote(plant).unwrap(),
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-euc", &text]);
    command.output().unwrap()
}

fn script(title: &str, body: &str) -> String {
    Script::new(title, body).before(OURS).var("id", 2).text().unwrap()
}

#[track_caller]
fn said(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The number is there for everybody, and nothing of root's was touched.
const DROPPED: &str = r#"drop && look
setpriv --reuid=1234 --regid=1234 --clear-groups cat /tmp/zookeeper/myid
stat --format '%F %U %a' /tmp/zookeeper /tmp/zookeeper/myid
cat /tmp/victims/file; ls -A /tmp/victims/folder"#;

#[test]
fn the_number_is_dropped_whatever_a_local_user_put_there() {
    for plant in [
        "true",
        "ln -s /tmp/victims/file /tmp/zookeeper",
        "ln -s /tmp/victims/folder /tmp/zookeeper",
        "ln -s /tmp/nowhere /tmp/zookeeper",
        "mkfifo /tmp/zookeeper",
        "mkdir /tmp/zookeeper",
        "mkdir -m 777 /tmp/zookeeper && ln -s /tmp/victims/file /tmp/zookeeper/myid",
        "mkdir -m 777 /tmp/zookeeper && ln -s /tmp/victims/file /tmp/zookeeper/myid.new",
        "mkdir -m 777 /tmp/zookeeper && mkfifo /tmp/zookeeper/myid",
    ] {
        let told = said(&in_tmp(plant, &format!("if look; then exit 9; fi; {DROPPED}")));
        let expected = format!("2\ndirectory root 755\nregular file root 644\n{SECRET}");
        assert_eq!(told, expected, "after `{plant}`");
    }
}

#[test]
fn what_is_roots_own_stays_and_somebodys_data_is_put_aside() {
    let kept = "mkdir /tmp/zookeeper && echo 7 > /tmp/zookeeper/myid && echo old > /tmp/zookeeper/data
        drop && cat /tmp/zookeeper/myid /tmp/zookeeper/data";
    assert_eq!(said(&in_tmp("true", kept)), "2\nold");
    let moved = "drop && cat /tmp/mesosflow-aside.*/*/data && stat --format %a /tmp/mesosflow-aside.*";
    assert_eq!(
        said(&in_tmp(
            "mkdir /tmp/zookeeper && echo theirs > /tmp/zookeeper/data",
            moved
        )),
        "theirs\n700"
    );
}

/// Whoever wins: root has written through no link, and once the user rests the number is there.
#[test]
fn a_user_who_keeps_planting_gains_nothing() {
    let race = format!(
        r#"setpriv --reuid=1234 --regid=1234 --clear-groups sh -c 'while :; do
          ln -sT /tmp/victims/folder /tmp/zookeeper; mkdir -m 777 /tmp/zookeeper && ln -s /tmp/victims/file /tmp/zookeeper/myid
        done' 2>/dev/null &
        for round in 1 2 3 4 5 6 7 8; do
          code=0; drop 2>/tmp/victims/said || code=$?
          case $code in 0) look; rm -rf /tmp/zookeeper ;; 4) grep -q 'is made again by' /tmp/victims/said ;; *) exit 8 ;; esac
          [ "$(cat /tmp/victims/file)" = "{SECRET}" ] && [ -z "$(ls -A /tmp/victims/folder)" ] || exit 7
        done
        kill $!; wait $! || true
        {DROPPED}"#
    );
    let expected = format!("2\ndirectory root 755\nregular file root 644\n{SECRET}");
    assert_eq!(said(&in_tmp("true", &race)), expected);
}

#[test]
fn a_tmp_that_others_may_rearrange_is_refused() {
    let output = in_tmp("true", "chmod 777 /tmp; drop");
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("not sticky"),
        "{output:?}"
    );
}
