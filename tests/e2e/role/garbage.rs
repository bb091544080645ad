//! What a cluster file cannot be is refused as a whole: what was in force stays, and one line says so.

use crate::role::rig::{Facts, Node, OWN};

/// What else a file says, that is believed by itself.
fn others() -> Facts {
    Facts::slave()
        .with("zookeepers", "10.9.9.2:2181")
        .with("epoch", "4")
}

fn cases() -> Vec<(&'static str, Vec<u8>)> {
    let good = others().text();
    let with = |key: &str, value: &str| others().with(key, value).text().into_bytes();
    let mut cases: Vec<(&str, Vec<u8>)> = vec![
        (
            "a page",
            b"<!DOCTYPE html>\n<html><body>Please log in</body></html>\n".to_vec(),
        ),
        ("nothing", Vec::new()),
        ("half of it", good[..good.len() / 2].into()),
        ("all but its end", good.trim_end_matches("# end\n").into()),
        ("other ends of lines", good.replace('\n', "\r\n").into()),
        (
            "bytes of zero",
            good.replace("demo-slave-1", "demo\0-slave-1").into(),
        ),
        ("no epoch", others().without("epoch").text().into()),
        ("no role", others().without("role").text().into()),
        ("no cluster", others().without("cluster").text().into()),
        ("a key twice", others().and("epoch", "4").text().into()),
        (
            "a line that is no fact",
            good.replace("# end", "rm -rf /\n# end").into(),
        ),
        (
            "a large file",
            format!("{}# end\n", good.replace("# end", &"# x\n".repeat(20_000))).into(),
        ),
    ];
    for (what, key, value) in [
        ("a huge epoch", "epoch", "99999999999999999999"),
        ("an epoch of ten digits", "epoch", "2147483648"),
        ("an octal number", "masters", "08"),
        ("a negative number", "epoch", "-1"),
        ("no masters", "masters", "0"),
        ("an address that is none", "ip", "10.9.9.400"),
        ("an address of this machine's alone", "first_master", "127.0.0.1"),
        ("a word in place of an address", "ip", "here"),
        ("places without ports", "zookeepers", "10.9.9.2"),
        ("a port that is none", "zookeepers", "10.9.9.2:70000"),
        ("a place twice", "zookeepers", "10.9.9.2:2181,10.9.9.2:2181"),
        ("a role of somebody else's", "role", "mesos-zookeeper"),
        ("a command", "name", "$(touch /tmp/caught)"),
        ("another command", "cluster", "`touch /tmp/caught`"),
        ("a third", "java_home", "/usr;touch /tmp/caught"),
        ("a way out", "java_home", "/usr/../../tmp"),
        ("letters that nobody sees", "agent_flag", "--attributes=a\u{7}b"),
        ("no flag", "agent_flag", "launcher"),
    ] {
        cases.push((what, with(key, value)));
    }
    cases.push((
        "ten thousand letters",
        with("agent_flag", &format!("--attributes={}", "x".repeat(10_000))),
    ));
    cases
}

#[test]
fn a_file_that_cannot_be_changes_nothing() {
    let node = Node::plain();
    node.told(&Facts::slave());
    node.once();
    let state = node.state();
    for (what, text) in cases() {
        node.write("/etc/mesosflow/cluster", &text);
        let said = node.once();
        assert_eq!(
            said.matches("refused: /etc/mesosflow/cluster").count(),
            1,
            "{what}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{what}: {said}");
        node.told(&Facts::slave());
        assert_eq!(node.state(), state, "{what}");
        assert!(!node.path("/tmp/caught").exists(), "{what}");
    }
    // One line, however often.
    node.write("/etc/mesosflow/cluster", "junk");
    node.once();
    assert_eq!(node.once(), "");
    node.told(&others());
    node.once();
    assert_eq!(node.zk().unwrap(), "zk://10.9.9.2:2181/mesos");
    node.sh("rm /etc/mesosflow/cluster").ok();
    assert!(node.once().contains("is not there; what was said before stays"));
}

#[test]
fn what_may_be_said_is_passed_on_to_the_letter() {
    let node = Node::plain();
    let odd = r#"--executor_environment_variables={"A":"it's $HOME `x` \\ * ü"}"#;
    node.told(
        &Facts::slave()
            .and("agent_flag", odd)
            .and("nobody_knows", "$(this)"),
    );
    node.once();
    assert_eq!(
        node.read("/etc/mesos-slave/executor_environment_variables")
            .as_deref(),
        odd.split_once('=').map(|it| it.1)
    );
    // A garbled file, and nothing before: nothing is done.
    node.forget();
    node.told(&Facts::slave().with("ip", "x"));
    let once = node.role(&["--once"]);
    assert_eq!(once.code, 75, "{}", once.err);
    assert!(
        !node.path("/etc/mesos-slave").exists() && node.read("/etc/mesos-slave/ip").as_deref() != Some(OWN)
    );
}
