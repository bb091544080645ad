//! Machines of one's own: what a list may be, and what is planned for it. Nothing here talks to a machine but the last.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::Bench;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGt9TsmTDRxb/zJtI6PBkEdS9jkdI9IQQcRmUp1dnz1Q";

/// A list of a master and two slaves, with a key that may log in; `at` gives the addresses of each.
fn listed(at: impl Fn(usize) -> String) -> Bench {
    let bench = Bench::new();
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(bench.path("key"))
        .status();
    assert!(made.unwrap().success());
    let mut text = "provider = 'hosts'\n[hosts]\nidentity_file = 'key'\n".to_owned();
    for (number, role) in [(1, "master"), (2, "slave"), (3, "slave")] {
        let at = at(number);
        text += &format!("\n[[hosts.nodes]]\nrole = '{role}'\nport = 1\nhost_key = '{KEY}'\n{at}\n");
    }
    bench.write("mesosflow.toml", &text);
    bench
}

fn usual() -> Bench {
    listed(|number| format!("address = '192.0.2.{number}'"))
}

#[test]
fn the_list_says_how_many_there_are_and_what_is_skipped() {
    let bench = usual();
    let json = bench.run_creating_nothing(&["plan", "--json"]).json();
    let steps = json["steps"].as_array().unwrap();
    let skipped: Vec<_> = steps.iter().filter(|step| step["action"] == "skip").collect();
    let ids: Vec<_> = skipped.iter().map(|step| step["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        [
            "security-groups",
            "image-metadata",
            "launch-slaves",
            "launch-masters",
            "launch-zookeepers",
            "approve-zookeepers",
            "zookeeper-start"
        ]
    );
    let reasons = skipped.iter().map(|step| step["reason"].as_str().unwrap());
    let listed = reasons.filter(|reason| reason.contains("listed in the configuration"));
    assert_eq!(listed.count(), 5);
    let creates = json["creates"].as_array().unwrap();
    assert_eq!(creates.len(), 3);
    assert_eq!(creates[0]["kind"], "authorized-key");
    assert_eq!(creates[0]["name"], "demo-master-1");
}

#[test]
fn without_any_list_it_is_the_list_that_is_missed() {
    let bench = Bench::new();
    bench
        .run_creating_nothing(&["run", "--provider", "hosts", "--mesos-source", "none"])
        .refused(2, &["`hosts.nodes` lists no host"]);
}

#[test]
fn numbers_that_contradict_the_list_are_refused() {
    let bench = usual();
    bench.run_creating_nothing(&["plan", "--masters", "3"]).refused(
        2,
        &["`--masters 3` contradicts `hosts.nodes`, which lists 1 of role master"],
    );
    bench.run_creating_nothing(&["plan", "--slaves", "1"]).refused(
        2,
        &["`--slaves 1` contradicts `hosts.nodes`, which lists 2 of role slave"],
    );
    let agreeing = bench.run_creating_nothing(&["plan", "--masters", "1", "--slaves", "2"]);
    assert_eq!(agreeing.code, 0, "{agreeing:?}");
    let text = std::fs::read_to_string(bench.path("mesosflow.toml")).unwrap();
    bench.write("mesosflow.toml", &format!("slaves = 5\n{text}"));
    bench.run_creating_nothing(&["plan"]).refused(
        2,
        &[
            "`slaves = 5` contradicts `hosts.nodes`",
            "hint: leave `slaves` out",
        ],
    );
}

#[test]
fn a_key_that_cannot_log_in_is_refused_before_anything_is_touched() {
    let bench = usual();
    std::fs::set_permissions(bench.path("key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    bench.run_creating_nothing(&["run"]).refused(
        2,
        &[
            "`hosts.identity_file` may be read by others (mode 0644)",
            "chmod 600",
        ],
    );
    std::fs::remove_file(bench.path("key")).unwrap();
    bench
        .run_creating_nothing(&["run"])
        .refused(2, &["`hosts.identity_file` cannot be read", "No such file"]);
}

#[test]
fn a_list_that_is_not_used_is_warned_about() {
    let bench = usual();
    let said = bench.run_creating_nothing(&["plan", "--provider", "local", "--mesos-source", "none"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.err
            .contains("warning: the listed hosts are of no use to provider `local`"),
        "{said:?}"
    );
}

#[test]
fn hosts_that_do_not_answer_are_named_together_and_nothing_is_created() {
    // Addresses of this machine where nobody listens; the other hosts could not reach it there, so they have others.
    let bench =
        listed(|number| format!("address = '127.0.0.{number}'\nprivate_address = '192.0.2.{number}'"));
    bench.run_creating_nothing(&["run"]).refused(
        2,
        &[
            "3 of 3 hosts cannot be used",
            "connecting to demo-master-1 (root@127.0.0.1:1): Connection refused",
            "connecting to demo-slave-2 (root@127.0.0.3:1): Connection refused",
            "see that it runs and has an SSH server",
        ],
    );
}

#[test]
fn a_host_with_a_public_address_is_told_with_its_ports_unless_something_shuts_them() {
    let bench = listed(|number| match number {
        1 => "address = '127.0.0.1'\nprivate_address = '192.0.2.1'".to_owned(),
        _ => format!("address = '127.0.0.{number}'\nprivate_address = '8.8.8.{number}'"),
    });
    let said = bench.run_creating_nothing(&["plan", "--json"]);
    let warnings = said.json()["warnings"].to_string();
    for number in [1, 2] {
        let told = format!(
            "demo-slave-{number} has the public address 8.8.8.{}: ports ",
            number + 1
        );
        assert!(warnings.contains(&told) && said.err.contains(&told), "{said:?}");
    }
    assert!(!warnings.contains("demo-master-1 has"), "{warnings}");
    // `run` goes on to ask the hosts, of which none answers; what is open is told before.
    bench.run_creating_nothing(&["run"]).refused(
        2,
        &[
            "demo-slave-1 has the public address 8.8.8.2: ports ",
            "3 of 3 hosts cannot be used",
        ],
    );

    let text = std::fs::read_to_string(bench.path("mesosflow.toml")).unwrap();
    let shut = text.replace("[hosts]", "[hosts]\nadmin_cidr = ['203.0.113.0/24']");
    bench.write("mesosflow.toml", &shut);
    let json = bench.run_creating_nothing(&["plan", "--json"]).json();
    assert!(!json["warnings"].to_string().contains("public address"), "{json}");
    assert!(
        json["creates"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("firewall `inet mesosflow`"),
        "{json}"
    );
}
