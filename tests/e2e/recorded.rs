//! Deploys as they really go, recorded into `fixtures/journals/`: `make fixtures` runs these, nothing else does. What they are
//! for stands in `steps/src/workflows/deploy/recorded.rs`. Until a version is released they are made anew when inputs, outputs or the
//! catalogue change; those of a released one stay as they are.
//!
//! Whose machine it was is no part of a deploy: folders, names, process ids and ports are replaced, and the digests of the
//! inputs with them.

use std::path::Path;

use mesosflow_tests::{AMI_FULL, Bench, Cloud, Machines, RUN_LIMIT};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::ec2::ADMINS;

/// What the clusters are called in the recordings.
const NAME: &str = "demo";
/// Where the program was at home in them.
const HOME: &str = "/home/user";

#[test]
#[ignore = "writes fixtures/journals: `make fixtures`"]
fn a_local_deploy_is_recorded() {
    let mut bench = Bench::new();
    bench.no_config();
    let cluster = bench.cluster();
    let size = ["--masters", "3", "--slaves", "2"];
    record(
        &mut bench,
        "local",
        &cluster,
        &[&["--cluster", &cluster], &size[..]].concat(),
        &[],
    );
}

/// As much of EC2 as there is: spot, volumes, three roles, everything reached through the first master.
#[test]
#[ignore = "writes fixtures/journals: `make fixtures`"]
fn a_deploy_on_ec2_is_recorded() {
    let mut bench = Bench::new();
    let cloud = Cloud::with_nodes(&mut bench);
    bench.write("mesosflow.toml", "[shared_volume]\nfallback = 'sshfs'\n");
    let cluster = bench.cluster();
    let (endpoint, subnet) = (cloud.endpoint(), cloud.subnet().id.clone());
    let words = [
        &[
            "--provider",
            "ec2",
            "--endpoint-url",
            &endpoint,
            "--cluster",
            &cluster,
        ][..],
        &[
            "--masters",
            "3",
            "--slaves",
            "2",
            "--admin-cidr",
            ADMINS,
            "--ami",
            AMI_FULL,
        ],
        &["--subnet", &subnet, "--spot-price", "0.10", "--ebs-vol-size", "8"],
    ];
    let port = [(endpoint.as_str(), "http://127.0.0.1:5000")];
    record(&mut bench, "ec2", &cluster, &words.concat(), &port);
}

/// One master, so that the steps about ZooKeeper are skipped in one of the recordings.
#[test]
#[ignore = "writes fixtures/journals: `make fixtures`"]
fn a_deploy_on_hosts_is_recorded() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let mut machines = Machines::new(&bench, &cluster);
    machines.start("root", 22);
    machines.start("admin", 2022);
    let mut config = format!(
        "cluster = '{cluster}'\nprovider = 'hosts'\nshared_volume.fallback = 'sshfs'\n\n\
         [hosts]\nidentity_file = '~/id_ed25519'\n"
    );
    for (role, host) in ["master", "slave"].into_iter().zip(&machines.hosts) {
        config += &format!(
            "\n[[hosts.nodes]]\nrole = '{role}'\naddress = '{}'\nport = {}\nuser = '{}'\nhost_key = '{}'\n",
            host.ip, host.port, host.user, host.host_key
        );
    }
    bench.write("mesosflow.toml", &config);
    record(&mut bench, "hosts", &cluster, &[], &[]);
}

/// Deploys with these words, and saves what the journal has of it.
fn record(bench: &mut Bench, name: &str, cluster: &str, words: &[&str], further: &[(&str, &str)]) {
    let live = bench.start(&[&["run"], words].concat());
    let run = live.finish(RUN_LIMIT).ended(0).run();
    bench.status(&run).all_done();
    let exported = bench.say(&["journal", "export", &run]).ended(0).out;
    let (home, mesos) = (folder_of(&bench.path("x")), text(bench.mesos()));
    let mut replaced = vec![
        (mesos.as_str(), "/home/user/mesos.tar.gz"),
        (home.as_str(), HOME),
        (cluster, NAME),
    ];
    replaced.extend(further);
    let recording = neutral(&exported, &replaced);
    names_no_machine(&recording);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../fixtures/journals/v2-{name}.jsonl"));
    let half = path.with_extension("new");
    std::fs::write(&half, recording).unwrap();
    std::fs::rename(half, &path).unwrap();
}

/// The same with other words in the place of some, and what follows from that: the digests of inputs.
fn neutral(exported: &str, replaced: &[(&str, &str)]) -> String {
    let other = |line: &str| {
        let replace = |line: String, (from, to): &(&str, &str)| line.replace(from, to);
        replaced.iter().fold(line.to_owned(), replace)
    };
    let mut digests = Vec::new();
    let mut lines = Vec::new();
    for line in exported.lines() {
        let before = parsed(line);
        let mut new = other(line);
        if before["kind"] == "step_started" {
            let recorded = before["input_digest"].as_str().unwrap().to_owned();
            assert_eq!(
                recorded,
                digest(&before["input"]),
                "digests are made otherwise: {line}"
            );
            digests.push((recorded, digest(&parsed(&new)["input"])));
        }
        if before["kind"] == "run_adopted" {
            let pid = format!(r#""pid":{}"#, before["pid"]);
            let host = format!(r#""host":{}"#, before["host"]);
            new = new.replace(&pid, r#""pid":1"#).replace(&host, r#""host":"here""#);
        }
        lines.push(new + "\n");
    }
    let recorded = lines.into_iter().map(|line| {
        let replace = |line: String, (from, to): &(String, String)| line.replace(from, to);
        digests.iter().fold(line, replace)
    });
    recorded.collect()
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// As the journal has it: SHA-256 over the input without its nulls.
fn digest(input: &Value) -> String {
    fn without_nulls(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let given = fields.iter().filter(|(_, field)| !field.is_null());
                Value::Object(
                    given
                        .map(|(key, field)| (key.clone(), without_nulls(field)))
                        .collect(),
                )
            }
            Value::Array(values) => Value::Array(values.iter().map(without_nulls).collect()),
            other => other.clone(),
        }
    }
    hex::encode(Sha256::digest(serde_json::to_vec(&without_nulls(input)).unwrap()))
}

/// Nothing of the machine on which it was made, and no key.
fn names_no_machine(recording: &str) {
    let workspace = folder_of(Path::new(env!("CARGO_MANIFEST_DIR")));
    let target = text(std::env::current_exe().unwrap().ancestors().nth(3).unwrap());
    let mut words = vec![workspace, target];
    words.extend(["mesosflow-test-", "PRIVATE KEY"].map(str::to_owned));
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    words.push(format!("\"{}\"", own.trim()));
    // Root's home is also that of the nodes.
    words.extend(std::env::var("HOME").ok().filter(|home| home != "/root"));
    for word in words {
        let line = recording.lines().find(|line| line.contains(&word));
        assert_eq!(line, None, "it says {word:?}");
    }
}

fn folder_of(path: &Path) -> String {
    text(path.parent().unwrap())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
