//! DNS: SRV records, then addresses, and only where nothing else knows.

use crate::role::rig::{Facts, LIMIT, Node, ZOOKEEPERS};
use mesosflow_tests::until;

fn with_dns() -> Node {
    let mut node = Node::plain();
    node.write("/etc/resolv.conf", "nameserver 127.0.0.1\n");
    let zookeepers =
        [1, 2, 3].map(|number| format!("--srv-host=_mesos-zk._tcp.c.test,zk{number}.c.test,2181"));
    let mut args = vec![
        "--conf-file=/dev/null",
        "--keep-in-foreground",
        "--no-resolv",
        "--no-hosts",
        "--listen-address=127.0.0.1",
        "--bind-interfaces",
        "--user=root",
        "--pid-file=",
        "--local=/test/",
        "--srv-host=_mesos-master._tcp.c.test,m1.c.test,5050",
        "--host-record=zks.test,10.9.9.1",
        "--host-record=zks.test,10.9.9.2",
        "--host-record=m1.c.test,10.9.9.1",
        "--srv-host=_mesos-zk._tcp.bad.test,zk1.c.test,0",
    ];
    args.extend(zookeepers.iter().map(String::as_str));
    node.beside("dnsmasq", &args, None);
    until("the DNS server", LIMIT, || {
        node.sh("getent ahostsv4 m1.c.test").ok_if()
    });
    node
}

#[test]
fn dns_counts_where_nothing_else_knows() {
    let node = with_dns();
    let asks = Facts::slave().without("zookeepers").with("ip", "10.9.9.4");
    let zk = |names: &str| Some(format!("zk://{names}/mesos"));
    for (domain, name, found) in [
        (
            "c.test",
            "",
            zk("zk1.c.test:2181,zk2.c.test:2181,zk3.c.test:2181"),
        ),
        ("", "zks.test", zk("10.9.9.1:2181,10.9.9.2:2181")),
        ("none.test", "zks.test", zk("10.9.9.1:2181,10.9.9.2:2181")),
        ("none.test", "", None),
        ("bad.test", "", None),
    ] {
        node.forget();
        let mut facts = asks.clone();
        for (key, value) in [("dns_domain", domain), ("dns_name", name)] {
            facts = if value.is_empty() {
                facts
            } else {
                facts.with(key, value)
            };
        }
        node.told(&facts);
        let once = node.role(&["--once"]);
        assert_eq!(node.zk(), found, "{domain} {name}: {}", once.err);
        assert_eq!(once.code, if found.is_some() { 0 } else { 75 }, "{domain} {name}");
    }
    node.forget();
    node.told(&Facts::slave().with("dns_domain", "c.test"));
    node.once();
    assert_eq!(node.zk(), zk(ZOOKEEPERS));
    // A lone master's slave.
    node.forget();
    node.told(&asks.with("masters", "1").with("dns_domain", "c.test"));
    node.once();
    assert_eq!(node.read("/etc/mesos/master").unwrap(), "m1.c.test:5050");
}

#[test]
fn a_server_that_is_gone_takes_nothing_back() {
    let node = with_dns();
    node.told(&Facts::slave().without("zookeepers").with("dns_domain", "c.test"));
    node.once();
    let state = node.state();
    node.write("/etc/resolv.conf", "nameserver 127.0.0.9\n");
    assert!(
        node.once()
            .contains("refused: DNS does not know; what was said before stays")
    );
    assert_eq!(node.state(), state);
}
