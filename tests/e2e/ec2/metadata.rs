//! The stand-in's metadata service, asked from within machines that somebody else has started: as strict as EC2's, as new as the
//! tags, and there after a reboot; and such machines are configured by what they were given.

use std::time::Duration;

use mesosflow_tests::{AMI_FULL, Bench, Cloud, Instance, Lie, Node, until};

const LIMIT: Duration = Duration::from_secs(180);
const USER_DATA: &str =
    "#cloud-config\nwrite_files: [{path: /etc/written, content: hello}]\nruncmd: [[touch, /etc/ran]]\n";
const HOME: &str = "http://169.254.169.254/latest";

/// What a machine is answered: the status, and what comes with it.
fn ask(node: &Node, token: &str, path: &str) -> (String, String) {
    let script =
        format!("curl -sS -m 20 -H 'X-aws-ec2-metadata-token: {token}' -w '\\n%{{http_code}}' {HOME}/{path}");
    let said = node.ask(&script);
    let (text, status) = said.rsplit_once('\n').unwrap_or(("", &said));
    (status.to_owned(), text.to_owned())
}

/// A token, as a machine gets it.
fn token(node: &Node) -> String {
    node.ask(&format!(
        "curl -sf -m 20 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' {HOME}/api/token"
    ))
}

#[track_caller]
fn assert_says(node: &Node, token: &str, path: &str, text: &str) {
    assert_eq!(
        ask(node, token, path),
        ("200".to_owned(), text.to_owned()),
        "{path}"
    );
}

fn boots(cloud: &Cloud, bench: &Bench, instance: &Instance) -> Node {
    let node = cloud.node(bench, &instance.id);
    node.ask("cloud-init status --wait");
    // Its user data came with its disk: nothing says yet that its network leads to the service.
    until("the metadata service", LIMIT, || {
        node.run(&format!("curl -sS -m 5 {HOME}/")).ok_if()
    });
    node
}

#[test]
fn a_machine_of_somebody_else_is_configured_and_sees_its_metadata() {
    let mut bench = Bench::new();
    let cloud = Cloud::with_nodes(&mut bench);
    let group = cloud.world().add_group("its-slaves", Some(&cloud.subnet().vpc));
    let tags = [("mesosflow:epoch", "7"), ("team", ""), ("a+b", "x y/z")];
    let one = cloud.launch_stranger(AMI_FULL, USER_DATA, &tags, &group);
    let other = cloud.launch_stranger(
        AMI_FULL,
        USER_DATA,
        &[("mesosflow:epoch", "8"), ("aws:autoscaling:groupName", "slaves")],
        &group,
    );
    assert_eq!((one.groups.as_slice(), one.tag("team")), ([group].as_slice(), ""));
    assert!(
        cloud.calls("RunInstances").is_empty(),
        "nobody's program has called"
    );

    let node = boots(&cloud, &bench, &one);
    assert_eq!(node.ask("cat /etc/written && test -e /etc/ran"), "hello");

    // Nothing without a token, and no token for whoever does not say how long.
    for given in ["", "bm90IG9uZQ=="] {
        let (status, page) = ask(&node, given, "meta-data/instance-id");
        assert!(status == "401" && page.contains("<html"), "{status} {page}");
    }
    let put = |header: &str| {
        node.ask(&format!(
            "curl -s -m 20 -o /dev/null -w '%{{http_code}}' -X PUT {header} {HOME}/api/token"
        ))
    };
    assert_eq!(put(""), "400");
    assert_eq!(put("-H 'X-aws-ec2-metadata-token-ttl-seconds: 0'"), "400");
    let mine = token(&node);

    let name = one.private_name.as_str();
    for (path, text) in [
        ("meta-data/instance-id", one.id.as_str()),
        ("meta-data/instance-type", "m5.large"),
        ("meta-data/local-ipv4", &one.private_ip),
        ("meta-data/local-hostname", name),
        ("meta-data/placement/availability-zone", "us-east-1a"),
        ("meta-data/placement/region", "us-east-1"),
        ("meta-data/tags/instance/", "a+b\nmesosflow:epoch\nteam"),
        ("meta-data/tags/instance/mesosflow:epoch", "7"),
        ("meta-data/tags/instance/mesosflow%3Aepoch", "7"),
        ("meta-data/tags/instance/a+b", "x y/z"),
        ("meta-data/tags/instance/team", ""),
        ("user-data", USER_DATA.trim_end()),
    ] {
        let (status, said) = ask(&node, &mine, path);
        assert_eq!((status.as_str(), said.trim_end()), ("200", text), "{path}");
    }
    for path in [
        "meta-data/public-ipv4",
        "meta-data/tags/instance/none",
        "meta-data/nothing",
        "nothing",
    ] {
        assert_eq!(ask(&node, &mine, path).0, "404", "{path}");
    }
    cloud.world().tag(&one.id, "mesosflow:epoch", "9");
    assert_says(&node, &mine, "meta-data/tags/instance/mesosflow:epoch", "9");

    // A token is its machine's own, and so is what it tells.
    let beside = boots(&cloud, &bench, &other);
    assert_eq!(ask(&beside, &mine, "meta-data/instance-id").0, "401");
    let its = token(&beside);
    assert_says(&beside, &its, "meta-data/instance-id", &other.id);

    lies(&cloud, (&node, &mine), (&beside, &its, &other.id));
    let asked = cloud.metadata().asked_by(&other.id);
    assert!(
        asked.contains(&("/latest/meta-data/instance-id".to_owned(), 401)),
        "{asked:?}"
    );
    assert!(
        asked.contains(&("/latest/api/token".to_owned(), 200)),
        "{asked:?}"
    );

    cloud.world().show_tags(&one.id, false);
    for path in ["meta-data/tags/instance/", "meta-data/tags/instance/team"] {
        assert_eq!(ask(&node, &mine, path).0, "404", "{path}");
    }
    cloud.world().show_tags(&one.id, true);

    // Its network is made anew, and then it is another address.
    bench.engine().run(&["restart", "--time", "20", &one.id]).ok();
    until("metadata after a reboot", LIMIT, || {
        node.run(&format!("curl -s -m 5 {HOME}/")).ok_if()
    });
    assert_says(
        &node,
        &token(&node),
        "meta-data/tags/instance/mesosflow:epoch",
        "9",
    );
    let address = another(&one.private_ip);
    bench
        .engine()
        .run(&["network", "disconnect", cloud.label(), &one.id])
        .ok();
    bench
        .engine()
        .run(&["network", "connect", "--ip", &address, cloud.label(), &one.id])
        .ok();
    assert_says(&node, &token(&node), "meta-data/local-ipv4", &address);
    assert_says(&node, &token(&node), "meta-data/instance-id", &one.id);
    let name = format!("ip-{}.ec2.internal", address.replace('.', "-"));
    assert_says(&node, &token(&node), "meta-data/local-hostname", &name);
}

/// An address of the same network that nobody has.
fn another(address: &str) -> String {
    let (network, _) = address.rsplit_once('.').unwrap();
    format!("{network}.253")
}

/// What a scenario has the service say: to everybody or to one, about one thing or all.
fn lies(cloud: &Cloud, (node, mine): (&Node, &str), (beside, its, id): (&Node, &str, &str)) {
    let metadata = cloud.metadata();
    let epoch = "meta-data/tags/instance/mesosflow:epoch";
    metadata.answer_to(id, "tags/instance/mesosflow:epoch", Lie::page());
    assert!(ask(beside, its, epoch).1.contains("<html"));
    assert_says(node, mine, epoch, "9");
    metadata.answer("tags/instance/", Lie::Status(500));
    assert_eq!(ask(node, mine, epoch).0, "500");
    assert_eq!(ask(node, mine, "meta-data/instance-id").0, "200");
    metadata.answer("/", Lie::Text(String::new()));
    assert_says(node, mine, "meta-data/instance-id", "");
    // Who has no token is told nothing, not even a lie.
    assert_eq!(ask(node, "none", "meta-data/instance-id").0, "401");
    metadata.answer("/latest/api/token", Lie::Hang);
    let ran = node.run(&format!(
        "curl -s -m 1 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 9' {HOME}/api/token"
    ));
    assert_eq!(ran.code, 28, "{ran:?}");
    metadata.heal();
    assert_says(beside, its, epoch, "8");
    assert_says(node, mine, epoch, "9");
}
