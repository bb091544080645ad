//! `doctor`: all that is lacking at once, with what to do, and nothing made.

use serde_json::Value;

use crate::support::{Bench, FIRST, Said, said};

/// The program on a machine without any engine, and without anybody's account.
fn doctor(bench: &Bench, args: &[&str]) -> Said {
    let mut command = bench.command(&[&["doctor"], args].concat());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .env("PATH", "/nowhere")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", bench.path("aws"))
        .env("AWS_SHARED_CREDENTIALS_FILE", bench.path("aws"));
    let before = bench.files();
    let said = said(command.output().unwrap());
    assert_eq!(bench.files(), before, "{args:?} made something: {said:?}");
    said
}

/// What was found, of a machine that lacks something.
fn findings(said: &Said) -> Value {
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("lacking for a run"), "{said:?}");
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["healthy"], false, "{report:#}");
    report
}

fn of<'r>(report: &'r Value, what: &str) -> &'r Value {
    let all = report["findings"].as_array().unwrap();
    let found = all.iter().find(|finding| finding["what"] == what);
    found.unwrap_or_else(|| panic!("nothing of {what}: {report:#}"))
}

#[test]
fn everything_that_is_lacking_is_told_at_once_and_nothing_is_made() {
    let bench = Bench::new();
    let report = findings(&doctor(&bench, &["--json"]));
    assert_eq!(report["provider"], "local");
    for (what, ok) in [
        ("configuration", true),
        ("state folder", true),
        ("journal", true),
        ("clock", true),
        ("Mesos", false),
        ("container engine", false),
        ("memory", true),
    ] {
        let finding = of(&report, what);
        assert_eq!(finding["ok"], ok, "{finding:#}");
        assert_eq!(finding["hint"].is_string(), !ok, "{finding:#}");
        assert!(finding["detail"].is_string());
    }
    let shown = doctor(&bench, &[]);
    assert_eq!(shown.code, 1, "{shown:?}");
    for part in [
        "for provider `local`, as `run` would be",
        "LACKING",
        "hint: ",
        "install podman",
    ] {
        assert!(shown.out.contains(part), "{part:?}: {shown:?}");
    }
}

#[test]
fn what_is_wrong_with_the_configuration_hides_nothing_else() {
    let bench = Bench::new();
    let report = findings(&doctor(&bench, &["--slaves", "0", "--json"]));
    assert!(
        of(&report, "configuration")["detail"]
            .as_str()
            .unwrap()
            .contains("`slaves` is 0")
    );
    assert_eq!(of(&report, "container engine")["ok"], false);

    bench.write("mesosflow.toml", "masters = 'many'\n");
    let report = findings(&doctor(&bench, &["--json", "--provider", "hosts"]));
    assert_eq!(report["provider"], "hosts");
    assert_eq!(of(&report, "configuration")["ok"], false);
    assert_eq!(of(&report, "state folder")["ok"], true);
    // Which Mesos it means, and what of the provider's, is not known then.
    bench.write("mesosflow.toml", "provider = 'ec2'\n[ec2]\nvpcc = 'vpc-1'\n");
    let report = findings(&doctor(&bench, &["--json"]));
    assert_eq!(report["provider"], "ec2");
    let told = report["findings"].as_array().unwrap();
    let guessed = ["Mesos", "container engine", "AWS region"];
    assert!(
        !told
            .iter()
            .any(|finding| guessed.contains(&finding["what"].as_str().unwrap())),
        "{report:#}"
    );
    let shown = doctor(&bench, &[]).out;
    assert!(
        shown.contains("looked at once the configuration can be read"),
        "{shown}"
    );
    bench.write("mesosflow.toml", "");
    let report = findings(&doctor(&bench, &["--json", "--provider", "hosts"]));
    assert!(
        of(&report, "hosts")["detail"]
            .as_str()
            .unwrap()
            .contains("none is listed")
    );

    bench.write("mesosflow.toml", "provider = 'ec2'\n");
    let report = findings(&doctor(&bench, &["--json"]));
    assert_eq!(report["provider"], "ec2", "as the file says");
    let asks = of(&report, "configuration")["hint"].as_str().unwrap();
    assert!(asks.contains("--admin-cidr"), "{asks}");
    assert!(
        of(&report, "AWS region")["hint"]
            .as_str()
            .unwrap()
            .contains("--region")
    );
    // Neither hides the other.
    assert_eq!(of(&report, "AWS credentials")["ok"], false);
    let report = findings(&doctor(&bench, &["--json", "--region", "eu-central-1"]));
    let credentials = of(&report, "AWS credentials");
    assert_eq!(credentials["ok"], false);
    assert!(
        credentials["hint"].as_str().unwrap().contains("aws sso login"),
        "{credentials:#}"
    );
}

#[test]
fn a_journal_that_cannot_be_used_is_told() {
    let bench = Bench::new();
    bench.finished(FIRST, "demo");
    let report = findings(&doctor(&bench, &["--json"]));
    assert!(
        of(&report, "journal")["detail"]
            .as_str()
            .unwrap()
            .contains("runs 1")
    );
    std::fs::remove_file(bench.journal_path()).unwrap();
    bench.write(
        "journal.sqlite",
        "this is no journal, however long it may be read",
    );
    let report = findings(&doctor(&bench, &["--json"]));
    assert_eq!(of(&report, "journal")["ok"], false);
    assert!(of(&report, "journal")["hint"].is_string());
    let report = findings(&doctor(&bench, &["--json", "--journal", "/proc/journal.sqlite"]));
    let folder = of(&report, "state folder");
    assert_eq!(folder["ok"], false);
    assert!(
        folder["hint"].as_str().unwrap().contains("--journal"),
        "{folder:#}"
    );
}

#[test]
fn a_tarball_is_looked_into() {
    let bench = Bench::new();
    bench.write("mesos.tar.gz", "<html>not found</html>");
    let report = findings(&doctor(&bench, &["--json", "--mesos-url", "mesos.tar.gz"]));
    let mesos = of(&report, "Mesos");
    assert!(
        mesos["detail"].as_str().unwrap().contains("is no tarball"),
        "{mesos:#}"
    );
}
