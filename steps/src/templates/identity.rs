//! What the agent's unit does before the agent, on this machine: under another name, or with others than before, it begins anew.

use std::fs;
use std::path::Path;
use std::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/roles/mesos/agent-identity");

/// Boots an agent with these flags.
fn boot_as(work: &Path, flags: &[(&str, &str)]) {
    let folder = work.join("flags");
    fs::create_dir_all(&folder).unwrap();
    for (flag, value) in flags {
        fs::write(folder.join(flag), format!("{value}\n")).unwrap();
    }
    let script = fs::read_to_string(SCRIPT).unwrap();
    let script = script.replace(
        "/etc/mesos-slave",
        &folder.display().to_string().replace(' ', "\\ "),
    );
    let status = Command::new("sh").args(["-c", &script, "sh"]).arg(work).status();
    assert!(status.unwrap().success());
}

#[test]
fn an_agent_is_forgotten_when_its_machine_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("mesos-work");
    let latest = work.join("meta/slaves/latest");
    fs::create_dir_all(latest.parent().unwrap()).unwrap();
    let first = [("hostname", "demo-slave-1"), ("resources", "cpus:2;mem:1024")];
    boot_as(&work, &first);
    let changes: [&[(&str, &str)]; 3] = [
        &[("hostname", "demo-slave-2")],
        &[("resources", "cpus:4;mem:1024")],
        &[("attributes", "zone:us-east-1b")],
    ];
    for change in changes {
        std::os::unix::fs::symlink("an agent", &latest).unwrap();
        // Its executors live on, and it takes them up again.
        boot_as(&work, &[]);
        assert!(latest.is_symlink());
        boot_as(&work, change);
        assert!(!latest.is_symlink(), "{change:?}");
    }
}
