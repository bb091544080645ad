//! Bad input: each case has its own message, exit code 2, and creates nothing, not even the journal.

use std::os::unix::fs::PermissionsExt;

use crate::support::Bench;

/// `run` with these arguments, and a choice of Mesos that needs none.
#[track_caller]
fn refused(bench: &Bench, args: &[&str], parts: &[&str]) {
    let args = [&["run", "--mesos-source", "none"], args].concat();
    bench.run_creating_nothing(&args).refused(2, parts);
}

#[test]
fn an_unknown_key_names_file_line_and_the_nearest_key() {
    let bench = Bench::new();
    bench.write("mesosflow.toml", "cluster = 'demo'\n\nmastrs = 3\n");
    refused(
        &bench,
        &[],
        &[
            "cannot use `mesosflow.toml`, line 3: unknown key `mastrs`",
            "did you mean `masters`?",
        ],
    );
    bench.write("other.toml", "[hdfs]\nheap = 3\n");
    refused(
        &bench,
        &["--config", "other.toml"],
        &["line 2: unknown key `hdfs.heap`", "did you mean `hdfs.heap_mb`?"],
    );
}

#[test]
fn a_config_that_cannot_be_read_says_why() {
    let bench = Bench::new();
    refused(
        &bench,
        &["--config", "none.toml"],
        &["cannot read the configuration `none.toml`", "No such file"],
    );
    refused(
        &bench,
        &["--config", "."],
        &["cannot read the configuration `.`", "Is a directory"],
    );
    std::fs::write(bench.path("mesosflow.toml"), [0xff, 0xfe]).unwrap();
    refused(
        &bench,
        &[],
        &["cannot read the configuration `mesosflow.toml`", "utf-8"],
    );
    bench.write("mesosflow.toml", "masters = \n");
    refused(&bench, &[], &["cannot use `mesosflow.toml`, line 1"]);
    bench.write("mesosflow.toml", "masters = 'three'\n");
    refused(&bench, &[], &["line 1: `masters`: invalid type"]);
}

#[test]
fn a_name_that_is_no_host_name_is_refused() {
    let bench = Bench::new();
    let long = "a".repeat(300);
    for name in ["a b", "x;reboot", &long, "", "-a", "Demo", "$(id)"] {
        let flag = format!("--cluster={name}");
        refused(
            &bench,
            &[&flag],
            &["`cluster` is ", "choose a name of lower-case letters"],
        );
    }
}

#[test]
fn numbers_that_make_no_cluster_are_refused() {
    let bench = Bench::new();
    refused(&bench, &["--slaves", "0"], &["`slaves` is 0"]);
    refused(&bench, &["--masters", "0"], &["`masters` is 0"]);
    refused(
        &bench,
        &["--slaves", "1001"],
        &["`slaves` is 1001, more than 1000"],
    );
    refused(
        &bench,
        &["--masters", "-1"],
        &["invalid value '-1' for '--masters <N>'"],
    );
    refused(
        &bench,
        &["--masters", "x"],
        &["invalid value 'x' for '--masters <N>'"],
    );
    bench.write("mesosflow.toml", "slaves = 0\n");
    refused(&bench, &[], &["`slaves` is 0"]);
}

#[test]
fn unknown_words_are_refused_with_the_known_ones() {
    let bench = Bench::new();
    refused(
        &bench,
        &["--provider", "cloud"],
        &["invalid value 'cloud'", "local"],
    );
    refused(
        &bench,
        &["--mesos-url", "/none.tgz", "--mesos-source", "svn"],
        &["error:"],
    );
    refused(
        &bench,
        &["--master", "3"],
        &["unexpected argument '--master'", "--masters"],
    );
}

#[test]
fn a_tarball_that_does_not_exist_is_refused() {
    let bench = Bench::new();
    let said = bench.run_creating_nothing(&["run", "--mesos-url", "none.tgz"]);
    said.refused(2, &["`mesos.url` is not a file", "none.tgz"]);
}

#[test]
fn without_any_mesos_the_way_to_one_is_named() {
    let bench = Bench::new();
    bench
        .run_creating_nothing(&["run"])
        .refused(2, &["nothing says where Mesos comes from", "make standin"]);
}

#[test]
fn without_a_container_engine_and_with_one_that_fails_nothing_is_created() {
    let bench = Bench::new();
    bench.write("mesosflow.toml", "[local]\nengine = '/nowhere/engine'\n");
    refused(
        &bench,
        &[],
        &[
            "provider `local` cannot be used on this machine",
            "caused by:",
            "hint:",
        ],
    );
    bench.write("engine", "#!/bin/sh\necho 'the engine is broken' >&2\nexit 125\n");
    std::fs::set_permissions(bench.path("engine"), std::fs::Permissions::from_mode(0o755)).unwrap();
    // A relative path starts at the file's folder.
    bench.write("mesosflow.toml", "[local]\nengine = './engine'\n");
    refused(
        &bench,
        &[],
        &[
            "provider `local` cannot be used on this machine",
            "the engine is broken",
        ],
    );
}

#[test]
fn a_journal_whose_path_is_no_path_is_refused() {
    let bench = Bench::new();
    bench
        .run_creating_nothing(&["list", "--journal", ""])
        .refused(2, &["--journal"]);
}

#[test]
fn a_tag_that_ec2_would_refuse_is_refused_first() {
    let bench = Bench::new();
    let config = "provider = 'ec2'\n[ec2]\nadmin_cidr = ['203.0.113.7/32']\ntags = { 'cost center' = '7' }\n";
    bench.write("mesosflow.toml", config);
    let parts = [
        "ec2.tags",
        "names \"cost center\", which EC2 shows to no machine",
        "letters (A to Z), digits",
    ];
    refused(&bench, &[], &parts);
}
